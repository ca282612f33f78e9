//! Clients of the field.

mod anthropic;
mod discovery;
mod editors;
mod negative;
mod openai;
mod replay;
mod sdks;
mod storage;
mod tokens;
mod tools;
