//! Which rights the entries of an image have: the policy says it, and nothing else does.

use anyhow::{Context, Result, anyhow};
use nexus_recipe::Policy;

use super::recipe::System;
use crate::shell;

/// Gives every entry the rights that the policy of its image grants. Every name of a policy is an
/// entry of the image that it is written for; `read` gives a recipe's text by its name.
pub(crate) fn grant(system: &mut System, read: impl Fn(&str) -> Result<String>) -> Result<()> {
    let Some(name) = &system.policy else { return Ok(()) };
    let policy = load(name, read).with_context(|| format!("{name}.toml"))?;
    for entry in &mut system.entries {
        entry.rights = policy.rights(&entry.name);
    }
    Ok(())
}

fn load(name: &str, read: impl Fn(&str) -> Result<String>) -> Result<Policy> {
    let text = read(name)?;
    let wrong = |errors: nexus_recipe::RecipeErrors| anyhow!("{errors}");
    let image = Policy::parse(&text).map_err(wrong)?.image;
    let whole = System::parse(&read(&image)?).with_context(|| format!("{image}.toml"))?;
    let names = whole.entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>();
    Policy::parse_for(&text, &names).map_err(wrong)
}

/// The text of a recipe of this tree.
pub(crate) fn read(name: &str) -> Result<String> {
    let path = shell::root()?.join("recipes/system").join(format!("{name}.toml"));
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use nexus_abi::Rights;

    use super::*;

    /// The rights that an image of this tree gives, where it gives any.
    fn rights(image: &str) -> Vec<(String, Rights)> {
        let mut system = System::parse(&read(image).unwrap()).unwrap();
        grant(&mut system, read).unwrap();
        let given = system.entries.into_iter().map(|entry| (entry.name, entry.rights));
        given.filter(|(_, rights)| *rights != Rights::NONE).collect()
    }

    /// Why the system of image.toml cannot be built under a policy with this change.
    fn refused(from: &str, to: &str) -> String {
        let text = read("policy").unwrap();
        let changed = text.replacen(from, to, 1);
        assert_ne!(text, changed, "{from}");
        let mut system = System::parse(&read("image").unwrap()).unwrap();
        let of = |name: &str| if name == "policy" { Ok(changed.clone()) } else { read(name) };
        format!("{:#}", grant(&mut system, of).unwrap_err())
    }

    #[test]
    fn the_entries_of_the_image_have_exactly_what_the_policy_grants() {
        let both = Rights::QUERY.with(Rights::SCRAPE);
        let all =
            [("execd", Rights::QUERY), ("metricsd", Rights::QUERY), ("selftest-client", both)];
        assert_eq!(rights("image"), all.map(|(name, rights)| (name.to_owned(), rights)));
    }

    #[test]
    fn every_recipe_of_this_tree_has_a_policy_that_holds() {
        for entry in std::fs::read_dir(shell::root().unwrap().join("recipes/system")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let name = name.trim_end_matches(".toml");
            if !name.starts_with("policy") && !["bundles", "keys"].contains(&name) {
                rights(name);
            }
        }
        assert!(rights("kernel-bench").is_empty(), "without a policy nobody has a right");
        assert_eq!(rights("image-logd"), rights("image")[2..], "a part of the system");
        let hostile = rights("image-hostile");
        assert!(hostile.contains(&("asks_a_million_things".to_owned(), Rights::QUERY)));
    }

    #[test]
    fn a_name_that_is_no_entry_of_the_image_is_refused_with_its_line() {
        let error = refused("read_logs = [\"metricsd\"", "read_logs = [\"metricd\"");
        assert!(
            error.contains("policy.toml") && error.contains("`metricd` is no entry"),
            "{error}"
        );
        assert!(error.contains("recipe:9:14: read_logs[0]"), "{error}");
        let error = refused("image = \"image\"", "image = \"nowhere\"");
        assert!(error.contains("nowhere.toml"), "{error}");
    }

    #[test]
    fn an_image_cannot_give_rights_by_itself() {
        let text = read("image").unwrap() + "rights = [\"query\"]\n";
        assert!(System::parse(&text).is_err());
    }
}
