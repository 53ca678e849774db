//! How closed sets of small numbers are declared: operations, statuses, kinds.

/// Declares a closed set whose members have numbers.
macro_rules! numbers {
    (
        $(#[$doc:meta])* $name:ident {
            $($(#[$vdoc:meta])* $variant:ident = $number:literal,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant = $number,)* }

        impl $name {
            /// Every member, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number in frames.
            #[must_use]
            pub const fn raw(self) -> u8 {
                self as u8
            }

            /// The member of this number.
            #[must_use]
            pub const fn from_raw(raw: u8) -> Option<Self> {
                match raw { $($number => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

/// Declares a closed set whose members have numbers and names.
macro_rules! vocabulary {
    (
        $(#[$doc:meta])* $name:ident {
            $($(#[$vdoc:meta])* $variant:ident = $number:literal $text:literal,)*
        }
    ) => {
        crate::numbers::numbers! {
            $(#[$doc])* $name { $($(#[$vdoc])* $variant = $number,)* }
        }

        impl $name {
            /// The name in fields and documents.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The member of this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

pub(crate) use {numbers, vocabulary};
