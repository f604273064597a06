//! The Hugging Face model directory.
