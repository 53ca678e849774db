use std::num::NonZeroU32;

use nexus_abi::{Incarnation, ServiceId};
use nexus_wire::{SeriesId, SpanId, TraceId, WideTraceId};
use proptest::prelude::*;

use crate::any::{incarnation, service, trace};

proptest! {
    #[test]
    fn ids_belong_to_their_service_and_to_no_other_prefix(
        service in service(),
        flip in 0u32..32,
        local in any::<u32>(),
    ) {
        let other = ServiceId::from_raw(service.raw() ^ (1 << flip));
        let (span, trace) = (SpanId::new(service, local), TraceId::new(service, local));
        prop_assert!(span.belongs_to(service) && !span.belongs_to(other));
        prop_assert!(trace.belongs_to(service) && !trace.belongs_to(other));
        prop_assert_eq!(span.raw() & 0xffff_ffff, u64::from(local));
        prop_assert_eq!(trace.raw() & 0xffff_ffff, u64::from(local));
    }

    #[test]
    fn a_series_id_keeps_slot_and_generation(generation in 1..=u32::MAX, slot in any::<u32>()) {
        let id = SeriesId::new(NonZeroU32::new(generation).unwrap(), slot);
        prop_assert_eq!((id.generation(), id.slot()), (generation, slot));
        prop_assert_eq!(SeriesId::from_raw(id.raw()), Some(id));
    }

    #[test]
    fn a_wide_trace_keeps_every_part_apart(
        boot in any::<u32>(),
        life in incarnation(),
        lap in any::<u8>(),
        wire in trace(),
    ) {
        let text = WideTraceId::new(boot, life, lap, wire).to_string();
        prop_assert_eq!(text, format!("{boot:08x}{:06x}{lap:02x}{:016x}", life.raw(), wire.raw()));
    }

    #[test]
    fn a_life_is_followed_by_another_and_never_by_none(life in incarnation()) {
        let expected = if life == Incarnation::MAX { 1 } else { life.raw() + 1 };
        prop_assert_eq!(life.next().raw(), expected);
    }
}

#[test]
fn no_series_has_the_number_zero() {
    assert_eq!(SeriesId::from_raw(0), None);
}
