//! The simulated world stays in the thread that made it: the order of all that happens follows
//! from its seed, and a second thread would bring an order of its own.

use simkit::World;

/// Has the constant `IS` only for types that are not `Send`: of two equally good candidates the
/// compiler takes none.
trait NotSend<A> {
    const IS: bool = true;
}

struct IfSend;

impl<T: ?Sized> NotSend<()> for T {}
impl<T: ?Sized + Send> NotSend<IfSend> for T {}

const _: () = assert!(<World as NotSend<_>>::IS);
