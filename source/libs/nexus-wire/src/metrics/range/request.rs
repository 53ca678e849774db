use nexus_abi::ServiceId;

use super::{Moment, RangeCursor};
use crate::bytes::{Reader, Writer};
use crate::metrics::request::SHORT;
use crate::names::{LabelBytes, Labels};
use crate::{LABELS_BYTES_MAX, MetricStatus, NAME_BYTES_MAX, Tier};

const FLAG_PREFIX: u8 = 1;

/// What to read of what is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range<'a> {
    /// Where to go on.
    pub cursor: RangeCursor,
    /// Windows that begin then or later.
    pub from: Moment,
    /// Windows that begin before that.
    pub to: Moment,
    /// Length of the steps into which windows are put together, ns; 0: each window by itself.
    /// Steps are as long as the next multiple of the tier's windows, and begin at multiples of
    /// their length since boot.
    pub step_ns: u64,
    /// Which windows.
    pub tier: Tier,
    /// Of this sender only.
    pub service: Option<ServiceId>,
    /// Whether `name` is what names begin with.
    pub is_prefix: bool,
    /// The metric, at most 48 bytes.
    pub name: &'a str,
    /// Labels that series must have; they may have more.
    pub labels: Labels<'a>,
}

impl<'a> Range<'a> {
    /// Everything, window by window, from the beginning.
    pub const ALL: Self = Range {
        cursor: RangeCursor::START,
        from: Moment::FIRST,
        to: Moment::LAST,
        step_ns: 0,
        tier: Tier::Auto,
        service: None,
        is_prefix: true,
        name: "",
        labels: Labels::EMPTY,
    };

    pub(crate) fn read(mut from: Reader<'a>) -> Result<Self, MetricStatus> {
        let head = Self::read_head(&mut from).ok_or(SHORT)?;
        let name_len = usize::from(from.u8().ok_or(SHORT)?);
        let labels_len = usize::from(from.u16().ok_or(SHORT)?);
        if name_len > NAME_BYTES_MAX || labels_len > LABELS_BYTES_MAX {
            return Err(MetricStatus::OverLimit);
        }
        let name = from.str(name_len).ok_or(SHORT)?;
        let labels = from.bytes(labels_len).and_then(LabelBytes::new).ok_or(SHORT)?;
        let labels = Labels::parse(labels).map_err(|_| SHORT)?;
        let range = Self { name, labels, ..head };
        from.end().filter(|()| range.is_legal()).map(|()| range).ok_or(SHORT)
    }

    /// What comes before the texts.
    fn read_head(from: &mut Reader<'a>) -> Option<Self> {
        let head = Self {
            cursor: RangeCursor::read(from)?,
            from: Moment::read(from)?,
            to: Moment::read(from)?,
            step_ns: from.u64()?,
            tier: Tier::from_raw(from.u8()?)?,
            ..Self::ALL
        };
        let flags = from.u8()?;
        let service = Some(ServiceId::from_raw(from.u64()?)).filter(|service| service.raw() != 0);
        let is_known = flags & !FLAG_PREFIX == 0;
        is_known.then_some(Self { is_prefix: flags & FLAG_PREFIX != 0, service, ..head })
    }

    fn is_legal(&self) -> bool {
        self.from <= self.to
            && self.name.len() <= NAME_BYTES_MAX
            && self.service.is_none_or(|service| service.raw() != 0)
    }

    pub(crate) fn write(&self, to: &mut Writer<'_>) {
        to.require(self.is_legal());
        self.cursor.0.into_iter().for_each(|word| to.u64(word));
        self.from.write(to);
        self.to.write(to);
        to.u64(self.step_ns);
        to.u8(self.tier.raw());
        to.u8(u8::from(self.is_prefix) * FLAG_PREFIX);
        to.u64(self.service.map_or(0, ServiceId::raw));
        to.len8(self.name.as_bytes());
        to.len16(self.labels.as_label_bytes().as_bytes());
        to.bytes(self.name.as_bytes());
        to.bytes(self.labels.as_label_bytes().as_bytes());
    }
}
