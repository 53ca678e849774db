use std::any::Any;
use std::boxed::Box;
use std::panic::{self, PanicHookInfo};
use std::string::String;

use crate::threads::{self, with_thread_name};

/// Logs panics, flushes, lets `flush_others` flush what else there is, and then does what was done
/// about panics before. Call it once, at start.
pub fn install_panic_hook(flush_others: fn()) {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        log(info);
        threads::flush();
        flush_others();
        before(info);
    }));
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message")
}

fn log(info: &PanicHookInfo<'_>) {
    let message = message(info.payload());
    with_thread_name(|thread| match info.location() {
        Some(at) => crate::error!(
            "panic", "{message}"; file = at.file(), line = at.line(), thread = thread
        ),
        None => crate::error!("panic", "{message}"; thread = thread),
    });
}
