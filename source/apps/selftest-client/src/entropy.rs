//! entropyd gives out bytes, to nobody the same again; what it must refuse it refuses for its
//! reason, and gives nothing with it.

use nexus_abi::{FRAME_BYTES_MAX, ServiceId};
use nexus_wire::entropy::{ENTROPY_BYTES_MAX, EntropyStatus, decode_reply, request};

use crate::Why;
use crate::talk::Talk;

const ENTROPYD: ServiceId = ServiceId::from_name("entropyd");

/// Bytes of a good request, and of an answer without any bytes.
const GOOD_BYTES: usize = 10;
const REFUSAL_BYTES: usize = 9;
/// Where the status stands in an answer.
const STATUS: usize = 4;

/// Frames that are no request: how long a good one is made, where it is changed, and to what.
const MALFORMED: [(usize, (usize, u8)); 6] = [
    (0, (0, b'E')),
    (GOOD_BYTES - 1, (0, b'E')),
    (FRAME_BYTES_MAX, (0, b'E')),
    (GOOD_BYTES, (0, b'X')),
    (GOOD_BYTES, (2, 2)),
    (GOOD_BYTES, (3, 9)),
];

pub(crate) type Bytes = [u8; 32];

pub(crate) fn is_given_once(talk: &mut Talk<'_>) -> Result<(), Why> {
    let first = get(talk)?;
    what_is_no_request(talk)?;
    for count in [0, ENTROPY_BYTES_MAX as u16 + 1] {
        refuses(talk, &request(1, count), EntropyStatus::OverLimit)?;
    }
    if get(talk)? == first { Err("the same bytes are given twice") } else { Ok(()) }
}

/// Some bytes, as soon as the device has brought them.
pub(crate) fn get(talk: &mut Talk<'_>) -> Result<Bytes, Why> {
    talk.until("no entropy is given", |talk| {
        let nonce = talk.next_nonce();
        let answer = talk.send(ENTROPYD, &request(nonce, size_of::<Bytes>() as u16))?;
        match decode_reply(nonce, answer).ok_or("entropyd's answer is none to the request")? {
            Ok(bytes) => bytes.try_into().map(Some).map_err(|_| "not as many bytes are given"),
            Err(EntropyStatus::NotReady) => Ok(None),
            Err(_) => Err("a good request was refused"),
        }
    })
}

fn what_is_no_request(talk: &mut Talk<'_>) -> Result<(), Why> {
    for (length, (at, byte)) in MALFORMED {
        let mut frame = [0; FRAME_BYTES_MAX];
        frame.iter_mut().zip(request(1, 32)).for_each(|(to, from)| *to = from);
        frame.iter_mut().skip(at).take(1).for_each(|place| *place = byte);
        refuses(talk, frame.get(..length).unwrap_or_default(), EntropyStatus::InvalidArgs)?;
    }
    Ok(())
}

fn refuses(talk: &mut Talk<'_>, frame: &[u8], wanted: EntropyStatus) -> Result<(), Why> {
    let answer = talk.send(ENTROPYD, frame)?;
    if answer.get(STATUS) == Some(&wanted.raw()) && answer.len() == REFUSAL_BYTES {
        Ok(())
    } else {
        Err("a request that must be refused is not, or for another reason")
    }
}
