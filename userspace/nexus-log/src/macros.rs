//! The macros that programs use.

/// Logs at a level: `log!(Level::Info, "execd", "spawned {name}"; pid = 7)`. See
/// [`info!`](crate::info).
#[macro_export]
macro_rules! log {
    (
        $level:expr, $scope:expr, $message:literal $(, $argument:expr)* $(,)?
        $(; $($key:tt = $value:expr),+ $(,)?)?
    ) => {{
        const _: () = $crate::check_keys(&[$($($crate::__key!($key)),+)?]);
        if $crate::enabled($level) {
            $crate::__log(
                $level,
                const { $crate::StaticScope::literal($scope) },
                ::core::format_args!($message $(, $argument)*),
                &mut [$($(
                    (const { $crate::__key!($key) }, &$value as &dyn ::core::fmt::Display)
                ),+)?],
            );
        }
    }};
}

/// Logs that something failed. See [`info!`](crate::info).
#[macro_export]
macro_rules! error {
    ($($record:tt)*) => { $crate::log!($crate::Level::Error, $($record)*) };
}

/// Logs that something may fail, or has degraded. See [`info!`](crate::info).
#[macro_export]
macro_rules! warn {
    ($($record:tt)*) => { $crate::log!($crate::Level::Warn, $($record)*) };
}

/// Logs a change of state: a scope, a message with its arguments, and behind a `;` fields.
///
/// ```
/// use nexus_log::info;
///
/// let (name, pid, took) = ("demo.hello", 7, 12);
/// info!("execd", "spawned {name} in {} ms", took);
/// info!("execd", "spawned {name}"; pid = pid, "bundle.version" = 3);
/// ```
///
/// While the level is off nothing is evaluated. A secret is no field:
///
/// ```compile_fail
/// use nexus_log::{Secret, info};
///
/// info!("login", "user came"; password = Secret::new("hunter2"));
/// ```
///
/// and no part of a message:
///
/// ```compile_fail
/// use nexus_log::{Secret, info};
///
/// info!("login", "user came with {:?}", Secret::new("hunter2"));
/// ```
#[macro_export]
macro_rules! info {
    ($($record:tt)*) => { $crate::log!($crate::Level::Info, $($record)*) };
}

/// Logs for whoever looks for a fault. See [`info!`](crate::info).
#[macro_export]
macro_rules! debug {
    ($($record:tt)*) => { $crate::log!($crate::Level::Debug, $($record)*) };
}

/// Logs a step. See [`info!`](crate::info).
#[macro_export]
macro_rules! trace {
    ($($record:tt)*) => { $crate::log!($crate::Level::Trace, $($record)*) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __key {
    ($key:ident) => {
        $crate::StaticKey::literal(::core::stringify!($key))
    };
    ($key:literal) => {
        $crate::StaticKey::literal($key)
    };
}
