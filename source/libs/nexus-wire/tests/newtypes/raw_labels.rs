use nexus_wire::{AttrBytes, Fields, LabelBytes, Labels};

fn take(_: Labels<'_>, _: Fields<'_>) {}

fn take_bytes(_: LabelBytes<'_>, _: AttrBytes<'_>) {}

fn main() {
    take("queue=mail\n", "queue=mail\n");
    take_bytes(b"queue=mail\n", b"queue=mail\n");
}
