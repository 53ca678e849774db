use nexus_bounded::BlockStore;

/// Where logd's journal keeps its texts. Records are longer than names: larger blocks take as much
/// memory for them and half the steps.
pub type JournalBlocks = BlockStore<64>;

/// Where metricsd keeps names, labels, helps and attributes.
pub type TextBlocks = BlockStore<32>;
