use nexus_wire::metrics::plain_reply;

fn main() {
    let _ = plain_reply(1, 0, 7);
}
