use crate::numbers::numbers;

numbers! {
    /// What can be asked of statefsd.
    Op {
        /// Which store is this, and how much of it is mine.
        Hello = 1,
        /// What is known of a file.
        Stat = 2,
        /// Which files there are.
        List = 3,
        /// Bytes of a file.
        Read = 4,
        /// Begins a log: a file that is there at once and grows.
        Create = 5,
        /// Begins a draft: a file that nobody sees before it is finished.
        Draft = 6,
        /// Adds bytes to a log or a draft.
        Append = 7,
        /// Ends the growth of a log; gives a draft its name.
        Finish = 8,
        /// A file of these bytes instead of any that has the name.
        Replace = 9,
        /// Deletes a file, or gives a draft up.
        Delete = 10,
        /// Makes all that was done so far durable.
        Sync = 11,
    }
}
