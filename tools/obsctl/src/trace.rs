//! Names of traces and spans, as people read and type them.
//!
//! A trace is named by 32 hexadecimal digits, or shorter as `BOOT.LIFE.ID`: the boot of metricsd,
//! the life of the sender that began it (`LIFE+LAP` after its count has gone round), and the 16
//! digits that stand on the wire. A span is named by its 16 digits, unique within its trace.
//!
//! Environment: `TRACEPARENT=00-TRACE-SPAN-01`, as in W3C Trace Context, hands the span of
//! `obsctl run` to the commands within.

use std::fmt;
use std::str::FromStr;

use anyhow::Context as _;
use nexus_abi::Incarnation;
use nexus_wire::{SpanId, TraceId, WideTraceId};

/// The variable that carries a span to the commands within it.
pub(crate) const VARIABLE: &str = "TRACEPARENT";
/// The field of records and spans that says in which life their trace was begun.
pub(crate) const LIFE_KEY: &str = "trace_life";

/// A trace of one life of one sender.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Trace(pub(crate) WideTraceId);

impl Trace {
    /// The life that its number counts in: `BOOT.LIFE`, or `BOOT.LIFE+LAP`.
    pub(crate) fn life(self) -> String {
        let (boot, life, lap) = (self.0.boot(), self.0.incarnation().raw(), self.0.lap());
        if lap == 0 { format!("{boot}.{life}") } else { format!("{boot}.{life}+{lap}") }
    }

    /// The trace `wire` of a life as [`Self::life`] writes it.
    pub(crate) fn of_life(life: &str, wire: TraceId) -> Option<Self> {
        let (boot, life) = life.split_once('.')?;
        let (life, lap) = life.split_once('+').unwrap_or((life, "0"));
        let life: u32 = life.parse().ok().filter(|life| *life <= Incarnation::MAX.raw())?;
        let (boot, lap) = (boot.parse().ok()?, lap.parse().ok()?);
        Some(Self(WideTraceId::new(boot, Incarnation::new(life), lap, wire)))
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.life(), self.0.wire())
    }
}

impl FromStr for Trace {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let wide = || hex(text, 32).map(|raw| Self(WideTraceId::from_raw(raw)));
        let short = || {
            let (life, wire) = text.rsplit_once('.')?;
            Self::of_life(life, TraceId::from_raw(u64::try_from(hex(wire, 16)?).ok()?))
        };
        wide().or_else(short).with_context(|| {
            format!("{text:?} is no trace; obsctl spans shows them, as 3.12.6c895f3200000001")
        })
    }
}

/// Exactly so many hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u128::from_str_radix(text, 16).ok().filter(|_| is_hex)
}

/// The span of 16 digits.
pub(crate) fn parse_span(text: &str) -> anyhow::Result<u64> {
    hex(text, 16).and_then(|raw| u64::try_from(raw).ok()).with_context(|| {
        format!("{text:?} is no span; obsctl spans shows them, 16 hexadecimal digits each")
    })
}

/// A span that commands may be part of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Context {
    pub(crate) trace: Trace,
    pub(crate) span: SpanId,
}

impl Context {
    /// The one that the environment names, if it names one.
    pub(crate) fn of_environment() -> Option<Self> {
        std::env::var(VARIABLE).ok()?.parse().ok()
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-01", self.trace.0, self.span)
    }
}

impl FromStr for Context {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('-').skip(1);
        let trace = parts.next().and_then(|text| hex(text, 32)).ok_or(())?;
        let span = parts.next().and_then(|text| parse_span(text).ok()).ok_or(())?;
        let trace = Trace(WideTraceId::from_raw(trace));
        Ok(Self { trace, span: SpanId::from_raw(span) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(lap: u8) -> Trace {
        let wire = TraceId::from_raw(0x6c89_5f32_0000_0001);
        Trace(WideTraceId::new(3, Incarnation::new(12), lap, wire))
    }

    #[test]
    fn a_trace_is_read_back_from_both_of_its_names() {
        for trace in [trace(0), trace(7)] {
            assert_eq!(trace.to_string().parse::<Trace>().unwrap(), trace);
            assert_eq!(trace.0.to_string().parse::<Trace>().unwrap(), trace);
            assert_eq!(Trace::of_life(&trace.life(), trace.0.wire()), Some(trace));
        }
        assert_eq!(trace(0).to_string(), "3.12.6c895f3200000001");
        for bad in ["", "12", "3.12", "3.12.6c89", "3.99999999.6c895f3200000001", "x.y.z"] {
            assert!(bad.parse::<Trace>().is_err(), "{bad}");
        }
        assert!(parse_span("6c895f3200000001").is_ok() && parse_span("+c895f3200000001").is_err());
    }

    #[test]
    fn a_context_goes_through_the_environment() {
        let context = Context { trace: trace(0), span: SpanId::from_raw(9) };
        assert_eq!(context.to_string().parse(), Ok(context));
        assert_eq!("00-foreign-01".parse::<Context>(), Err(()));
    }
}
