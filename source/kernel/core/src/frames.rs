/// The free pages of physical memory, by number: a stack in memory that is given once.
pub struct Frames<'a> {
    stack: &'a mut [u32],
    len: usize,
}

impl<'a> Frames<'a> {
    /// No free page yet; `stack` holds as many as it is long.
    #[must_use]
    pub const fn new(stack: &'a mut [u32]) -> Self {
        Self { stack, len: 0 }
    }

    /// Gives a page back. One that does not fit is lost: the stack is as long as memory has pages.
    pub fn give(&mut self, frame: u32) {
        if let Some(place) = self.stack.get_mut(self.len) {
            *place = frame;
            self.len += 1;
        }
    }

    /// Takes a page that nobody has.
    pub fn take(&mut self) -> Option<u32> {
        let top = self.len.checked_sub(1)?;
        self.len = top;
        self.stack.get(top).copied()
    }

    /// How many are free.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none is free.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_taken_once_and_no_page_comes_from_nothing() {
        let mut stack = [0; 2];
        let mut frames = Frames::new(&mut stack);
        assert_eq!(frames.take(), None);
        frames.give(7);
        frames.give(9);
        frames.give(11);
        assert_eq!(frames.len(), 2);
        assert_eq!([frames.take(), frames.take(), frames.take()], [Some(9), Some(7), None]);
        assert!(frames.is_empty());
    }
}
