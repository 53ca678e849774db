/// A value that must not be shown: it has no `Debug`, no `Display`, and passes for no label,
/// attribute or field. Code that needs it says [`Secret::expose`], which is easy to find.
///
/// Deliberately absent: wiping of memory. A copy may live on in places nobody can reach.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps `value`.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that needs it.
    #[must_use]
    pub const fn expose(&self) -> &T {
        &self.0
    }
}
