//! What lies between a client and the services of a simulated world.

use nexus_abi::FRAME_BYTES_MAX;
use nexus_wire::logs::{self, Frame, Head, QueryWriter, Record, Reply, Request};
use nexus_wire::metrics::{self, Update};
use nexus_wire::{LabelBytes, Level, LogStatus, NameBytes, QUERY_RECORDS_MAX};

/// How what a query gives is not what logd would give.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Queried {
    WithoutLimit,
    /// The first case that reads sees this, unless it is only so where there is a limit.
    SinceEver,
    LimitedSinceEver,
    OutOfOrder,
    WithoutOne,
    WithoutTheLast,
    NewestFirst,
    WithAnotherLevel,
    /// Only of what this process has logged.
    LoggedWithAnotherLevel,
}

impl Queried {
    /// Those that the case of queries is there for.
    pub(crate) const OF_QUERIES: [Self; 8] = [
        Self::WithoutLimit,
        Self::LimitedSinceEver,
        Self::OutOfOrder,
        Self::WithoutOne,
        Self::WithoutTheLast,
        Self::NewestFirst,
        Self::WithAnotherLevel,
        Self::LoggedWithAnotherLevel,
    ];

    /// Asks logd by `call`, and gives its answer: of a query not what it was.
    pub(crate) fn call<E>(
        self,
        frame: &[u8],
        mut call: impl FnMut(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let Ok(Frame { head, request: Request::Query { since_ns, max } }) = logs::decode(frame)
        else {
            return call(frame);
        };
        let request = match self {
            Self::WithoutLimit | Self::NewestFirst => Request::Query { since_ns, max: u16::MAX },
            Self::SinceEver => Request::Query { since_ns: 0, max },
            Self::LimitedSinceEver if usize::from(max) < QUERY_RECORDS_MAX => {
                Request::Query { since_ns: 0, max }
            }
            _ => Request::Query { since_ns, max },
        };
        let mut asked = [0; FRAME_BYTES_MAX];
        let answer = call(logs::encode(&request, head, &mut asked).unwrap())?;
        Ok(self.answer(&request, head, &answer, usize::from(max)))
    }

    fn answer(self, request: &Request<'_>, head: Head, answer: &[u8], max: usize) -> Vec<u8> {
        let reply = logs::decode_reply(request.op(), head, answer);
        let Some((LogStatus::Ok, Reply::Query(records))) = reply else {
            return answer.to_vec();
        };
        let told = self.told(records.iter().collect(), max);
        let mut out = [0; FRAME_BYTES_MAX];
        let (total, dropped) = (records.total, records.dropped);
        let mut page = QueryWriter::new(head, LogStatus::Ok, total, dropped, &mut out);
        assert!(
            told.iter().all(|record| page.record(record)),
            "a lie has room where the truth had"
        );
        page.finish().unwrap().to_vec()
    }

    fn told(self, mut records: Vec<Record<'_>>, max: usize) -> Vec<Record<'_>> {
        match (self, records.len()) {
            (Self::OutOfOrder, 2..) => records.swap(0, 1),
            (Self::WithoutOne, 3..) => drop(records.remove(1)),
            (Self::WithoutTheLast, 3..) => drop(records.pop()),
            (Self::WithAnotherLevel, 2..) => records[1].level = Level::Debug,
            (Self::LoggedWithAnotherLevel, _) => {
                let logged = records.iter_mut().filter(|record| record.scope == "selftest.client");
                logged.for_each(|record| record.level = Level::Debug);
            }
            (Self::NewestFirst, count) => drop(records.drain(..count.saturating_sub(max))),
            _ => {}
        }
        records
    }
}

/// What is set while a case waits until a counter that was exported stays as it is.
pub(crate) fn waits_for_a_round(frame: &[u8]) -> bool {
    let Ok(metrics::Frame { request: metrics::Request::GaugeSet(update), .. }) =
        metrics::decode(frame)
    else {
        return false;
    };
    let labels = update.labels.as_bytes();
    update.name.as_bytes() == b"selftest_rounds" && labels == b"of=selftest_events_total\n"
}

/// Seven more of a counter whose total is seven.
pub(crate) fn told_again() -> Vec<u8> {
    let name = NameBytes::new(b"selftest_events_total").unwrap();
    let labels = LabelBytes::new(b"part=a\n").unwrap();
    let request = metrics::Request::CounterInc(Update { name, labels, value: 7 });
    let mut out = [0; FRAME_BYTES_MAX];
    metrics::encode(&request, 1, &mut out).unwrap().to_vec()
}
