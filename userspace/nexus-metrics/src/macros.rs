//! The macros that programs use.

/// The counter of this name: `counter!("exec_spawns_total").inc()`.
///
/// A unit, a help and labels may follow, in this order:
///
/// ```
/// use nexus_metrics::counter;
///
/// counter!("bytes_read_total", unit = Bytes, help = "bytes read from disks", "disk" =>
/// "vda").add(4096);
/// ```
///
/// A name that is none does not compile:
///
/// ```compile_fail
/// nexus_metrics::counter!("Exec Spawns").inc();
/// ```
#[macro_export]
macro_rules! counter {
    ($name:literal $($rest:tt)*) => {{
        static SITE: $crate::CounterSite =
            $crate::CounterSite::new($crate::__spec!(Counter, $name $($rest)*));
        SITE.get()
    }};
}

/// The gauge of this name: `gauge!("queue_length").set(3)`. As [`counter!`](crate::counter)
/// otherwise.
#[macro_export]
macro_rules! gauge {
    ($name:literal $($rest:tt)*) => {{
        static SITE: $crate::Site<$crate::Gauge> =
            $crate::Site::new($crate::__spec!(Gauge, $name $($rest)*));
        SITE.get()
    }};
}

/// The histogram of this name: `histogram!("read_ns", unit = Nanoseconds).observe(ns)`. As
/// [`counter!`](crate::counter) otherwise, with `bounds =` behind the unit:
///
/// ```
/// use nexus_metrics::{Bounds, histogram};
///
/// const BOUNDS: Bounds = Bounds::listed(&[1_000_000, 5_000_000, 20_000_000, 100_000_000]);
/// histogram!("read_ns", unit = Nanoseconds, bounds = BOUNDS).observe(7_000_000);
/// ```
#[macro_export]
macro_rules! histogram {
    ($name:literal $($rest:tt)*) => {{
        static SITE: $crate::Site<$crate::Histogram> =
            $crate::Site::new($crate::__spec!(Histogram, $name $($rest)*));
        SITE.get()
    }};
}

/// A family of counters, for a `static`:
///
/// ```
/// use nexus_metrics::{CounterFamily, counter_family};
///
/// static REQUESTS: CounterFamily<2> = counter_family!("requests_total", ["method", "status"]);
///
/// REQUESTS.with(["get", "200"]).inc();
/// ```
///
/// A secret is no label:
///
/// ```compile_fail
/// use nexus_metrics::{CounterFamily, Secret, counter_family};
///
/// static LOGINS: CounterFamily<1> = counter_family!("logins_total", ["who"]);
///
/// LOGINS.with([Secret::new("hunter2")]).inc();
/// ```
#[macro_export]
macro_rules! counter_family {
    ($name:literal, [$($key:literal),+ $(,)?] $($rest:tt)*) => {
        $crate::Family::new(
            $crate::__spec!(Counter, $name $($rest)*),
            [$($crate::StaticKey::literal($key)),+],
        )
    };
}

/// A family of gauges, for a `static`; see [`counter_family!`](crate::counter_family).
#[macro_export]
macro_rules! gauge_family {
    ($name:literal, [$($key:literal),+ $(,)?] $($rest:tt)*) => {
        $crate::Family::new(
            $crate::__spec!(Gauge, $name $($rest)*),
            [$($crate::StaticKey::literal($key)),+],
        )
    };
}

/// A family of histograms, for a `static`; see [`counter_family!`](crate::counter_family).
#[macro_export]
macro_rules! histogram_family {
    ($name:literal, [$($key:literal),+ $(,)?] $($rest:tt)*) => {
        $crate::Family::new(
            $crate::__spec!(Histogram, $name $($rest)*),
            [$($crate::StaticKey::literal($key)),+],
        )
    };
}

/// A span that begins here and ends when the returned [`crate::SpanGuard`] is dropped.
///
/// Its parent is the innermost open span of this thread, or the context given first:
///
/// ```
/// use nexus_metrics::{key, span};
///
/// let mut spawn = span!("exec.spawn", bundle = "demo.hello", attempt = 1);
/// let context = spawn.context();
/// std::thread::spawn(move || {
///     let _load = span!(parent = context, "exec.load");
/// });
/// spawn.attr(key!("code"), 3);
/// spawn.fail();
/// ```
///
/// A secret is no attribute:
///
/// ```compile_fail
/// use nexus_metrics::{Secret, span};
///
/// let _span = span!("login", password = Secret::new("hunter2"));
/// ```
#[macro_export]
macro_rules! span {
    (parent = $parent:expr, $name:literal $(, $key:tt = $value:expr)* $(,)?) => {
        $crate::__span!(::core::option::Option::Some($parent), $name, $($key = $value,)*)
    };
    ($name:literal $(, $key:tt = $value:expr)* $(,)?) => {
        $crate::__span!(::core::option::Option::None, $name, $($key = $value,)*)
    };
}

/// The key of an attribute, checked while the program is compiled.
#[macro_export]
macro_rules! key {
    ($key:tt) => {
        const { $crate::StaticKey::literal($crate::__key!($key)) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __span {
    ($parent:expr, $name:literal, $($key:tt = $value:expr,)*) => {{
        static SITE: $crate::SpanSite =
            $crate::SpanSite::new($crate::StaticName::literal($name));
        const _: () = $crate::distinct(&[$($crate::StaticKey::literal($crate::__key!($key))),*]);
        let mut span = SITE.prepare($parent);
        $(span.with($crate::key!($key), &$value);)*
        span.publish();
        span
    }};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __key {
    ($key:ident) => {
        stringify!($key)
    };
    ($key:literal) => {
        $key
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __spec {
    (
        $kind:ident,
        $name:literal
        $(, unit = $unit:ident)?
        $(, bounds = $bounds:expr)?
        $(, help = $help:literal)?
        $(, $key:literal => $value:literal)*
        $(,)?
    ) => {
        $crate::Spec::new($crate::Kind::$kind, $crate::StaticName::literal($name))
            $(.unit($crate::Unit::$unit))?
            $(.bounds($bounds))?
            $(.help($help))?
            .labels($crate::StaticLabels::literal(&[$(($key, $value)),*]))
    };
}
