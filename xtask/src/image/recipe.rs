//! The recipe of an image: what boots, and what it is given.

use anyhow::{Result, bail};
use nexus_abi::Rights;
use serde::Deserialize;

/// A recipe as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    policy: Option<String>,
    entry: Vec<Group>,
    #[serde(default)]
    resource: Vec<Resource>,
}

/// Entries that differ in their names only.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    names: Vec<String>,
    program: String,
    level: u32,
    memory_kib: u32,
    stack_kib: u32,
    #[serde(default)]
    argument: u64,
    #[serde(default)]
    calls: Vec<String>,
    #[serde(default)]
    starts: Vec<String>,
    #[serde(default)]
    resources: Vec<Use>,
    #[serde(default)]
    console: bool,
    #[serde(default)]
    halt: bool,
}

/// A resource that an entry may use.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Use {
    pub(crate) name: String,
    /// Whether a shared region may be written.
    #[serde(default)]
    pub(crate) write: bool,
}

/// Something that processes may be allowed to use.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resource {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) kind: ResourceKind,
}

/// What it is.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResourceKind {
    /// Registers of a device.
    Device { address: u64, kib: u32 },
    /// A line of the interrupt controller.
    Interrupt { line: u32 },
    /// Contiguous memory that devices reach.
    Dma { kib: u32 },
    /// Memory that several processes map.
    Shared { kib: u32 },
}

/// One entry.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) program: String,
    pub(crate) level: u32,
    pub(crate) pages: u32,
    pub(crate) stack_pages: u32,
    pub(crate) argument: u64,
    /// What is stamped on its requests; the policy says it.
    pub(crate) rights: Rights,
    pub(crate) calls: Vec<String>,
    pub(crate) starts: Vec<String>,
    pub(crate) resources: Vec<Use>,
    pub(crate) console: bool,
    pub(crate) halt: bool,
}

/// A recipe, entry by entry.
pub(crate) struct System {
    /// The recipe of who may do what; without one nobody has a right.
    pub(crate) policy: Option<String>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) resources: Vec<Resource>,
}

impl System {
    /// Reads a recipe. Whether it makes sense the rules say.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let recipe = toml::from_str::<Recipe>(text)?;
        let mut entries = Vec::new();
        for group in &recipe.entry {
            for name in &group.names {
                entries.push(group.entry(name)?);
            }
        }
        Ok(Self { policy: recipe.policy, entries, resources: recipe.resource })
    }

    /// The place of an entry in the table.
    pub(crate) fn entry(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.name == name)
    }

    /// Pages that entries and resources may take, all of them together.
    pub(crate) fn promised_pages(&self) -> u64 {
        let budgets = self.entries.iter().map(|entry| entry.pages);
        let pools = self.resources.iter().filter_map(|resource| match resource.kind {
            ResourceKind::Dma { kib } | ResourceKind::Shared { kib } => pages(kib).ok(),
            ResourceKind::Device { .. } | ResourceKind::Interrupt { .. } => None,
        });
        budgets.chain(pools).map(u64::from).sum()
    }

    /// The place of a resource in the table.
    pub(crate) fn resource(&self, name: &str) -> Option<usize> {
        self.resources.iter().position(|resource| resource.name == name)
    }
}

impl Group {
    fn entry(&self, name: &str) -> Result<Entry> {
        Ok(Entry {
            name: name.to_owned(),
            program: self.program.clone(),
            level: self.level,
            pages: pages(self.memory_kib)?,
            stack_pages: pages(self.stack_kib)?,
            argument: self.argument,
            rights: Rights::NONE,
            calls: self.calls.clone(),
            starts: self.starts.clone(),
            resources: self.resources.clone(),
            console: self.console,
            halt: self.halt,
        })
    }
}

/// Whole pages of 4 KiB.
pub(crate) fn pages(kib: u32) -> Result<u32> {
    if kib == 0 || !kib.is_multiple_of(4) {
        bail!("{kib} KiB are not pages of 4 KiB");
    }
    Ok(kib / 4)
}
