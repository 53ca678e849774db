use nexus_wire::RecordId;

fn take(_: RecordId) {}

fn main() {
    take(7);
}
