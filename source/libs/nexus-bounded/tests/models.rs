//! Every container against a model that is too simple to be wrong.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::collections::VecDeque;
use std::fmt::Write as _;

use nexus_bounded::{
    BlockChain, BlockStore, ByteQueue, Mono, Nanos, Slab, SlotId, Text, TokenBucket,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

proptest! {
    #[test]
    fn a_text_holds_what_fits_and_refuses_the_rest_whole(pieces in vec(".{0,12}", 0..6)) {
        let mut text = Text::<20>::EMPTY;
        let mut model = String::new();
        for piece in &pieces {
            let fits = model.len() + piece.len() <= 20;
            prop_assert_eq!(text.write_str(piece).is_ok(), fits);
            if fits {
                model.push_str(piece);
            }
            prop_assert_eq!(text.as_str(), &*model);
            prop_assert_eq!(Text::<20>::new(&model), Some(text));
            prop_assert_eq!(Text::<8>::new(&model).is_some(), model.len() <= 8);
        }
    }

    #[test]
    fn a_slab_is_a_list_of_options(
        capacity in 0u32..6,
        steps in vec((any::<bool>(), any::<Index>(), any::<u16>()), 0..60),
    ) {
        let mut slab = Slab::new(capacity);
        let mut model = vec![None; capacity as usize];
        for (insert, place, value) in steps {
            if insert {
                match slab.insert(value) {
                    Ok(id) => prop_assert_eq!(model[id.index()].replace(value), None),
                    Err(back) => {
                        prop_assert_eq!(back, value);
                        prop_assert!(model.iter().all(Option::is_some));
                    }
                }
            } else {
                let place = place.index(capacity as usize + 1);
                let expected = model.get_mut(place).and_then(Option::take);
                prop_assert_eq!(slab.remove(SlotId(place as u32)), expected);
            }
            let taken: Vec<_> = slab.iter().map(|(id, value)| (id.index(), *value)).collect();
            let expected = (0..).zip(&model).filter_map(|(at, v)| v.map(|v| (at, v)));
            let expected = expected.collect::<Vec<_>>();
            prop_assert_eq!(slab.len() as usize, taken.len());
            prop_assert_eq!(taken, expected);
        }
        prop_assert_eq!(slab.get(SlotId::NONE), None);
        prop_assert_eq!(slab.capacity(), capacity);
    }

    #[test]
    fn a_block_store_gives_back_what_it_took_while_blocks_last(
        blocks in 0u32..12,
        steps in vec((any::<bool>(), any::<Index>(), vec(vec(any::<u8>(), 0..70), 0..4)), 0..40),
    ) {
        let mut store = BlockStore::<32>::new(blocks);
        let mut live: Vec<(BlockChain, Vec<u8>)> = Vec::new();
        for (insert, which, parts) in steps {
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let whole = parts.concat();
            if insert {
                let fits = whole.len().div_ceil(32) <= store.free_blocks() as usize;
                let chain = store.store(&parts);
                prop_assert_eq!(chain.is_some(), fits);
                live.extend(chain.map(|chain| (chain, whole)));
            } else if !live.is_empty() {
                let (chain, _) = live.swap_remove(which.index(live.len()));
                store.release(chain);
            }
            let used = live.iter().map(|(_, bytes)| bytes.len().div_ceil(32)).sum::<usize>();
            prop_assert_eq!(store.free_blocks() as usize, blocks as usize - used);
            for (chain, bytes) in &live {
                check_chain(&store, *chain, bytes)?;
            }
        }
    }

    #[test]
    fn a_block_store_compares_by_bytes_however_they_are_cut(
        left in vec(0u8..2, 0..70),
        right in vec(0u8..2, 0..70),
        cut in any::<Index>(),
    ) {
        let mut store = BlockStore::<32>::new(8);
        let chain = store.store(&[&left]).unwrap();
        let (front, back) = right.split_at(cut.index(right.len() + 1));
        prop_assert_eq!(store.equals(chain, &[front, back]), left == right);
        let (front, back) = left.split_at(cut.index(left.len() + 1));
        prop_assert!(store.equals(chain, &[&[], front, &[], back]));
    }

    #[test]
    fn a_block_store_sees_every_single_byte_that_differs(text in vec(any::<u8>(), 0..140)) {
        let mut store = BlockStore::<64>::new(8);
        let chain = store.store(&[&text]).unwrap();
        prop_assert!(store.is(chain, &text));
        for at in 0..text.len() {
            let mut other = text.clone();
            other[at] ^= 1;
            prop_assert!(!store.is(chain, &other) && !store.equals(chain, &[&other]));
            prop_assert!(!store.is(chain, &text[..at]));
        }
    }

    #[test]
    fn a_byte_queue_is_first_in_first_out(
        capacity in 0usize..80,
        steps in vec((any::<bool>(), vec(any::<u8>(), 0..30)), 0..60),
    ) {
        let mut queue = ByteQueue::new(capacity);
        let mut model: VecDeque<Vec<u8>> = VecDeque::new();
        for (push, item) in steps {
            let used = model.iter().map(|item| item.len() + 4).sum::<usize>();
            if push {
                let fits = used + item.len() + 4 <= capacity;
                prop_assert_eq!(queue.push(&item), fits);
                if fits {
                    model.push_back(item);
                }
            } else {
                prop_assert_eq!(queue.pop(), model.pop_front().is_some());
            }
            check_queue(&queue, &model)?;
        }
    }

    #[test]
    fn a_bucket_is_exact(
        rate in rates(),
        burst in 0..=TokenBucket::BURST_MAX,
        small in 0u64..20,
        tight in any::<bool>(),
        steps in vec((0u64..3_000_000_000, any::<u8>(), any::<u64>()), 1..40),
    ) {
        let burst = if tight { small } else { burst };
        let mut bucket = TokenBucket::new(rate, burst, Mono(5));
        let full = u128::from(burst) * 1_000_000_000;
        let (mut level, mut now) = (full, Mono(5));
        for (elapsed, shift, units) in steps {
            let elapsed = elapsed << (shift % 34);
            let units = units >> (shift % 64);
            let later = now.after(Nanos(elapsed));
            level = full.min(level + u128::from(later.since(now).0) * u128::from(rate));
            now = later;
            let cost = u128::from(units) * 1_000_000_000;
            prop_assert_eq!(bucket.take(units, now), cost <= level);
            if cost <= level {
                level -= cost;
            }
            prop_assert_eq!(u128::from(bucket.left(now)), level / 1_000_000_000);
        }
    }

    #[test]
    fn a_clock_that_goes_back_gives_a_bucket_nothing(rate in rates(), back in 0u64..1000) {
        let mut bucket = TokenBucket::new(rate, 10, Mono(1000));
        prop_assert!(bucket.take(10, Mono(1000)));
        prop_assert_eq!(bucket.left(Mono(1000 - back)), 0);
        prop_assert_eq!(bucket.left(Mono(1000)), 0);
    }

    #[test]
    fn time_saturates(a in any::<u64>(), b in any::<u64>()) {
        prop_assert_eq!(Mono(a).since(Mono(b)).0, a.saturating_sub(b));
        prop_assert_eq!(Mono(a).after(Nanos(b)).0, a.saturating_add(b));
        prop_assert_eq!(Nanos::from_secs(a).0, a.saturating_mul(1_000_000_000));
        prop_assert_eq!(Nanos::from_millis(a).0, a.saturating_mul(1_000_000));
        prop_assert_eq!(Mono(a).window(Nanos(b.max(1))), a / b.max(1));
    }
}

fn rates() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..20, 0..=u64::from(u32::MAX), any::<u64>()]
}

fn check_chain(
    store: &BlockStore<32>,
    chain: BlockChain,
    bytes: &[u8],
) -> Result<(), TestCaseError> {
    let mut out = vec![0; bytes.len()];
    prop_assert_eq!(chain.len(), bytes.len());
    prop_assert_eq!(chain.is_empty(), bytes.is_empty());
    prop_assert_eq!(store.pieces(chain).collect::<Vec<_>>().concat(), bytes);
    prop_assert!(store.equals(chain, &[bytes]));
    prop_assert_eq!(store.copy_to(chain, &mut out), Some(bytes));
    if let Some(short) = out.len().checked_sub(1) {
        prop_assert_eq!(store.copy_to(chain, &mut out[..short]), None);
    }
    Ok(())
}

fn check_queue(queue: &ByteQueue, model: &VecDeque<Vec<u8>>) -> Result<(), TestCaseError> {
    let mut out = [0; 80];
    prop_assert_eq!(queue.len(), model.len());
    prop_assert_eq!(queue.is_empty(), model.is_empty());
    prop_assert_eq!(queue.used_bytes(), model.iter().map(|item| item.len() + 4).sum::<usize>());
    prop_assert_eq!(queue.peek(&mut out), model.front().map(Vec::as_slice));
    let mut cursor = queue.cursor();
    for item in model {
        let (got, next) = queue.peek_next(cursor, &mut out).unwrap();
        prop_assert_eq!(got, item);
        cursor = next;
    }
    prop_assert!(queue.peek_next(cursor, &mut out).is_none());
    Ok(())
}

#[test]
fn a_bucket_beyond_the_largest_burst_has_the_largest() {
    let mut bucket = TokenBucket::new(1, u64::MAX, Mono(0));
    assert_eq!(bucket.left(Mono(0)), TokenBucket::BURST_MAX);
}
