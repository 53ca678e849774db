//! Reading back, against a plain model: whatever the question, and however its answer is cut into
//! frames and its files into pieces.

mod answers;
mod archive;
mod broken;
