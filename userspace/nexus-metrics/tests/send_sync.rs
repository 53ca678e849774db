//! Which types may cross threads: said to the compiler, and done.

use std::sync::Arc;
use std::thread;

use nexus_metrics::{
    Bounds, Client, Counter, CounterFamily, CounterSite, Flusher, Gauge, Histogram,
    HistogramFamily, MetricName, Pace, Secret, Site, SpanContext, SpanGuard, SpanSite,
};

const fn is_send<T: Send>() {}
const fn is_send_and_sync<T: Send + Sync>() {}

const _: () = {
    is_send_and_sync::<Client>();
    is_send_and_sync::<Counter>();
    is_send_and_sync::<Gauge>();
    is_send_and_sync::<Histogram>();
    is_send_and_sync::<Bounds>();
    is_send_and_sync::<CounterSite>();
    is_send_and_sync::<Site<Gauge>>();
    is_send_and_sync::<SpanSite>();
    is_send_and_sync::<SpanContext>();
    is_send_and_sync::<CounterFamily<3>>();
    is_send_and_sync::<HistogramFamily<1>>();
    is_send_and_sync::<Secret<String>>();
    is_send::<Flusher<&'static Client>>();
    is_send::<Flusher<Arc<Client>>>();
};

/// Has the constant `IS` only for types that are not `Send`: of two equally good candidates the
/// compiler takes none.
trait NotSend<A> {
    const IS: bool = true;
}

struct IfSend;

impl<T: ?Sized> NotSend<()> for T {}
impl<T: ?Sized + Send> NotSend<IfSend> for T {}

/// A span guard stays on its thread.
const _: () = assert!(<SpanGuard as NotSend<_>>::IS);

#[test]
fn a_client_its_handles_and_its_flusher_work_from_several_threads() {
    let client = Arc::new(Client::new());
    let name = MetricName::new("test_total");
    let counter = name.and_then(|name| client.counter(name, &[]).ok());
    let flusher = Flusher::new(Arc::clone(&client), Pace::DEFAULT);
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let client = Arc::clone(&client);
            thread::spawn(move || {
                let counter = counter?;
                (0..1000).for_each(|_| client.add(counter, 1));
                Some(())
            })
        })
        .collect();
    let flusher = thread::spawn(move || flusher.service());
    assert!(workers.into_iter().all(|worker| matches!(worker.join(), Ok(Some(())))));
    assert!(matches!(flusher.join(), Ok(None)));
}
