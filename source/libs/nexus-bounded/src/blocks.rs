use alloc::boxed::Box;
use alloc::vec;

const NONE: u32 = u32::MAX;

/// A byte string that lies in a [`BlockStore`]: where it begins and how long it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockChain {
    first: u32,
    len: u32,
}

impl BlockChain {
    /// The empty string; it takes no block.
    pub const EMPTY: Self = Self { first: NONE, len: 0 };

    /// Length in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.len as usize
    }

    /// Whether it holds no byte.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// Whether a block begins with `text`, which is shorter: by its first and its last bytes, which
/// may overlap, because comparing a known number of bytes takes no loop.
#[inline]
fn begins_with<const BLOCK: usize>(block: &[u8; BLOCK], text: &[u8]) -> bool {
    fn both_ends<const N: usize>(own: &[u8], text: &[u8]) -> bool {
        own.first_chunk::<N>() == text.first_chunk() && own.last_chunk::<N>() == text.last_chunk()
    }
    let own = &block[..text.len()];
    match text.len() {
        32.. => both_ends::<32>(own, text),
        16.. => both_ends::<16>(own, text),
        8.. => both_ends::<8>(own, text),
        4.. => both_ends::<4>(own, text),
        _ => own.iter().zip(text).all(|(a, b)| a == b),
    }
}

/// Byte strings of any length in a fixed number of blocks of `BLOCK` bytes, at most 64, without
/// fragmentation: a string that needs `n` blocks fits whenever `n` blocks are free, wherever they
/// are.
pub struct BlockStore<const BLOCK: usize> {
    data: Box<[[u8; BLOCK]]>,
    next: Box<[u32]>,
    free: u32,
    free_blocks: u32,
}

impl<const BLOCK: usize> BlockStore<BLOCK> {
    const LEGAL: () =
        assert!(BLOCK > 0 && BLOCK <= 64, "a rest of a block is compared in two pieces");

    /// A store of `blocks` free blocks, all memory taken now.
    #[must_use]
    pub fn new(blocks: u32) -> Self {
        const { Self::LEGAL };
        let next = (0..blocks).map(|at| if at + 1 < blocks { at + 1 } else { NONE }).collect();
        let data = vec![[0; BLOCK]; blocks as usize].into_boxed_slice();
        Self { data, next, free: if blocks > 0 { 0 } else { NONE }, free_blocks: blocks }
    }

    /// Blocks that `len` bytes take.
    #[must_use]
    pub const fn blocks_for(len: usize) -> usize {
        len.div_ceil(BLOCK)
    }

    /// Bytes of memory that a store of `blocks` takes.
    #[must_use]
    pub const fn bytes(blocks: u32) -> usize {
        blocks as usize * (BLOCK + size_of::<u32>())
    }

    /// Blocks not taken.
    #[must_use]
    pub const fn free_blocks(&self) -> u32 {
        self.free_blocks
    }

    /// Stores the bytes of `parts` one after another, or nothing if they do not fit.
    pub fn store(&mut self, parts: &[&[u8]]) -> Option<BlockChain> {
        if let [text] = parts {
            return self.store_one(text);
        }
        let bytes = parts.iter().map(|part| part.len()).sum::<usize>();
        let len = u32::try_from(bytes).ok()?;
        if Self::blocks_for(bytes) > self.free_blocks as usize {
            return None;
        }
        let chain = BlockChain { first: self.take(Self::blocks_for(bytes)), len };
        let (mut block, mut offset) = (chain.first, 0);
        for mut rest in parts.iter().copied() {
            while !rest.is_empty() {
                if offset == BLOCK {
                    block = self.next[block as usize];
                    offset = 0;
                }
                if offset == 0
                    && let Some((whole, tail)) = rest.split_first_chunk()
                {
                    self.data[block as usize] = *whole;
                    (offset, rest) = (BLOCK, tail);
                    continue;
                }
                let count = rest.len().min(BLOCK - offset);
                let (piece, tail) = rest.split_at(count);
                self.data[block as usize][offset..offset + count].copy_from_slice(piece);
                offset += count;
                rest = tail;
            }
        }
        Some(chain)
    }

    /// As [`Self::store`] for one part: block after block, in one walk.
    #[inline(always)]
    pub fn store_one(&mut self, text: &[u8]) -> Option<BlockChain> {
        let count = Self::blocks_for(text.len()) as u32;
        if count > self.free_blocks || text.len() > u32::MAX as usize {
            return None;
        }
        let (whole, rest) = text.as_chunks::<BLOCK>();
        let mut block = self.free;
        for piece in whole {
            self.data[block as usize] = *piece;
            block = self.next[block as usize];
        }
        if !rest.is_empty() {
            self.data[block as usize][..rest.len()].copy_from_slice(rest);
            block = self.next[block as usize];
        }
        self.free_blocks -= count;
        let first = core::mem::replace(&mut self.free, block);
        Some(BlockChain { first, len: text.len() as u32 })
    }

    /// Unlinks `count` blocks from the free list; the last one's link is cut.
    fn take(&mut self, count: usize) -> u32 {
        let first = self.free;
        if count == 0 {
            return NONE;
        }
        let mut last = first;
        for _ in 1..count {
            last = self.next[last as usize];
        }
        self.free = core::mem::replace(&mut self.next[last as usize], NONE);
        self.free_blocks -= count as u32;
        first
    }

    /// Gives the blocks of `chain` back. The chain must not be used again.
    pub fn release(&mut self, chain: BlockChain) {
        let count = Self::blocks_for(chain.len());
        if count == 0 {
            return;
        }
        let mut last = chain.first;
        for _ in 1..count {
            last = self.next[last as usize];
        }
        self.next[last as usize] = self.free;
        self.free = chain.first;
        self.free_blocks += count as u32;
    }

    /// The pieces of a stored string, in order.
    pub fn pieces(&self, chain: BlockChain) -> impl Iterator<Item = &[u8]> {
        let (mut block, mut rest) = (chain.first, chain.len());
        core::iter::from_fn(move || {
            let count = rest.min(BLOCK);
            if count == 0 {
                return None;
            }
            let piece = &self.data[block as usize][..count];
            block = self.next[block as usize];
            rest -= count;
            Some(piece)
        })
    }

    /// Whether the stored string is the bytes of `parts` one after another.
    #[must_use]
    pub fn equals(&self, chain: BlockChain, parts: &[&[u8]]) -> bool {
        if let [text] = parts {
            return self.is(chain, text);
        }
        let mut parts = parts.iter().copied();
        let mut part: &[u8] = &[];
        for mut piece in self.pieces(chain) {
            while !piece.is_empty() {
                if part.is_empty() {
                    match parts.next() {
                        Some(next) => part = next,
                        None => return false,
                    }
                    continue;
                }
                let count = piece.len().min(part.len());
                if piece[..count] != part[..count] {
                    return false;
                }
                piece = &piece[count..];
                part = &part[count..];
            }
        }
        part.is_empty() && parts.all(<[u8]>::is_empty)
    }

    /// As [`Self::equals`] for one part, made for the case that it is: without a loop over bytes.
    #[inline(always)]
    #[must_use]
    pub fn is(&self, chain: BlockChain, text: &[u8]) -> bool {
        if chain.len() != text.len() {
            return false;
        }
        let (whole, rest) = text.as_chunks::<BLOCK>();
        let mut block = chain.first;
        for piece in whole {
            if self.data[block as usize] != *piece {
                return false;
            }
            block = self.next[block as usize];
        }
        rest.is_empty() || begins_with(&self.data[block as usize], rest)
    }

    /// Copies a stored string to the front of `out`; `None` if `out` is too short.
    pub fn copy_to<'a>(&self, chain: BlockChain, out: &'a mut [u8]) -> Option<&'a [u8]> {
        let out = out.get_mut(..chain.len())?;
        let mut at = 0;
        for piece in self.pieces(chain) {
            out[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        }
        Some(out)
    }
}
