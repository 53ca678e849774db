use nexus_recipe::{AuditLimits, Policy, PolicyRule};

/// Who may do what in this image, `recipes/system/policy.toml`.
#[must_use]
pub fn policy() -> Policy {
    include!(concat!(env!("OUT_DIR"), "/policy.rs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = include_str!("../../../recipes/system/policy.toml");

    #[test]
    fn what_was_compiled_is_what_the_parser_reads() {
        assert_eq!(Policy::parse(TEXT), Ok(policy()));
    }
}
