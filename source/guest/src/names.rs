//! Names for people: what the kernel tells a parent of its children are numbers.

/// Whom the first process of some image starts, as the recipes say.
const NAMES: &[&str] = include!(concat!(env!("OUT_DIR"), "/names.rs"));

/// The names of all that the first process of some image starts.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_an_image_starts_first_has_a_name_and_others_have_none() {
        for name in ["logd", "metricsd", "selftest-client", "statefsd"] {
            assert!(names().any(|other| other == name), "{name}");
        }
        assert!(!names().any(|name| ["init", "reads_the_kernel"].contains(&name)));
    }
}
