//! What the services of this project measure, in words, where nobody can be asked: what is kept of
//! a metric has no help.

/// The page that stands for all of them; `cargo xtask tidy` holds it and the services together.
const PAGE: &str = include_str!("../../../docs/observability/naming.md");

/// The help of one of their metrics; `None`: it is none of theirs.
pub(crate) fn of(metric: &str) -> Option<&'static str> {
    PAGE.lines().find_map(|line| {
        let row = line.strip_prefix("| `")?.strip_suffix(" |")?;
        let (name, rest) = row.split_once("` | ")?;
        let (_, help) = rest.rsplit_once(" | ")?;
        (name == metric).then_some(help)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_metrics_have_helps_and_others_have_none() {
        assert_eq!(of("execd_spawns_total"), Some("programs started"));
        assert_eq!(of("bundlemgrd_requests_total"), Some("requests"));
        assert_eq!(of("jobs_total"), None);
        assert_eq!(of("execd"), None);
    }
}
