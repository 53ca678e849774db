//! A recipe as an expression of Rust, for programs that carry theirs instead of reading it.
//!
//! The compiler of the program checks it against the types once more, and a field that is missing
//! here does not compile either.

use std::fmt::Write as _;

use nexus_bounded::Nanos;

use crate::{
    AuditLimits, BootBundle, BucketRule, Budget, BundlemgrdLimits, BundlesRecipe, ExecdLimits,
    ExportLimits, KEY_BYTES, Keyring, LogRetention, LogdLimits, MetricsRetention, MetricsdLimits,
    OnSecret, PeerKey, Policy, PolicyRule, PortLimits, Recipe, Redaction, SenderRule, ShareRule,
    StateRecipe, StatefsdLimits, TierLimits,
};

impl StateRecipe {
    /// As [`Recipe::to_source`].
    #[must_use]
    pub fn to_source(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }
}

impl BundlesRecipe {
    /// As [`Recipe::to_source`].
    #[must_use]
    pub fn to_source(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }
}

impl Policy {
    /// As [`Recipe::to_source`].
    #[must_use]
    pub fn to_source(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }
}

impl Keyring {
    /// As [`Recipe::to_source`].
    #[must_use]
    pub fn to_source(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }
}

impl Recipe {
    /// An expression that is this recipe, wherever the types of this crate and [`Nanos`] are in
    /// scope.
    #[must_use]
    pub fn to_source(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }
}

trait Source {
    fn write(&self, to: &mut String);
}

impl Source for u32 {
    fn write(&self, to: &mut String) {
        write_out(to, format_args!("{self}"));
    }
}

impl Source for u64 {
    fn write(&self, to: &mut String) {
        write_out(to, format_args!("{self}"));
    }
}

impl Source for [u8; KEY_BYTES] {
    fn write(&self, to: &mut String) {
        write_out(to, format_args!("{self:?}"));
    }
}

impl Source for Nanos {
    fn write(&self, to: &mut String) {
        write_out(to, format_args!("Nanos({})", self.0));
    }
}

impl Source for String {
    fn write(&self, to: &mut String) {
        write_out(to, format_args!("{self:?}.into()"));
    }
}

impl Source for OnSecret {
    fn write(&self, to: &mut String) {
        write_out(to, format_args!("OnSecret::{self:?}"));
    }
}

impl<T: Source> Source for Option<T> {
    fn write(&self, to: &mut String) {
        match self {
            Some(value) => {
                to.push_str("Some(");
                value.write(to);
                to.push(')');
            }
            None => to.push_str("None"),
        }
    }
}

impl<T: Source> Source for Box<[T]> {
    fn write(&self, to: &mut String) {
        to.push_str("[ ");
        for item in self {
            item.write(to);
            to.push_str(", ");
        }
        to.push_str("].into()");
    }
}

fn write_out(to: &mut String, text: std::fmt::Arguments<'_>) {
    let written = to.write_fmt(text);
    assert!(written.is_ok(), "a string takes everything");
}

macro_rules! structs {
    ($($name:ident { $($field:ident)* })*) => {$(
        impl Source for $name {
            fn write(&self, to: &mut String) {
                let Self { $($field),* } = self;
                to.push_str(concat!(stringify!($name), " { "));
                $(
                    to.push_str(concat!(stringify!($field), ": "));
                    $field.write(to);
                    to.push_str(", ");
                )*
                to.push('}');
            }
        }
    )*};
}

structs! {
    StateRecipe { statefsd shares }
    StatefsdLimits { disk_bytes files open pending retry_min retry_max budget }
    ShareRule { name bytes files open }
    BundlesRecipe { bundlemgrd execd boot }
    BundlemgrdLimits {
        bundles bundle_bytes installer_bytes state_bytes waiting idle patience busy_pause retry
    }
    ExecdLimits { processes waiting patience report_patience recent_window recent_lines }
    BootBundle { name version entry program memory_kib needs }
    Policy {
        image audit read_logs scrape_metrics ask_for_others spawn install_bundle write_state
        open_session
    }
    AuditLimits { records_per_s records_burst }
    PolicyRule { who what }
    Keyring { name private peers }
    PeerKey { name public }
    Recipe { logd metricsd redaction port senders }
    Budget { events_per_s events_burst bytes_per_s bytes_burst }
    SenderRule { name uid logd_budget metricsd_budget }
    LogdLimits {
        journal_records journal_bytes share_records share_bytes senders scope_bytes message_bytes
        fields_bytes fields_count key_bytes value_bytes query_scan_records anchors anchor_drift
        sender_idle budget unknown_budget retention
    }
    LogRetention {
        bytes log_bytes log_files sync_interval error_sync_interval wait_bytes recovered_records
        retry_min retry_max
    }
    MetricsdLimits {
        senders sessions session_grace sender_idle series series_per_sender series_floor
        series_per_metric metrics_per_sender histograms histograms_floor registrations text_bytes
        labels_count key_bytes value_bytes attrs_count series_idle quarantine spans
        spans_per_sender spans_floor span_ttl window_short window_long buckets budget
        unknown_budget export retention
    }
    MetricsRetention {
        raw_interval sync_interval bytes log_bytes log_files wait_bytes buffer_bytes
        segment_windows segment_bytes retry_min retry_max raw short long
    }
    TierLimits { ttl bytes segments }
    BucketRule { prefix bounds }
    ExportLimits {
        interval full_every records_per_s bytes_per_s queue_bytes in_flight retry_min retry_max
    }
    Redaction { on_secret deny_keys allow_keys deny_prefixes hex_run base64_run }
    PortLimits {
        connections connections_per_sender frames_per_turn pending_replies slow_reader
        drain_interval readers_group
    }
}
