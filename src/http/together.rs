//! Waiting for several answers at once.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Runs all of them at once; what they come to, in their order.
pub(crate) async fn together<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<Running<F>> = futures.into_iter().map(|future| Running::Still(Box::pin(future))).collect();
    poll_fn(move |context| {
        let mut waits = false;
        for one in &mut running {
            if let Running::Still(future) = one {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *one = Running::Done(Some(output)),
                    Poll::Pending => waits = true,
                }
            }
        }
        if waits { Poll::Pending } else { Poll::Ready(running.iter_mut().filter_map(Running::output).collect()) }
    })
    .await
}

enum Running<F: Future> {
    Still(Pin<Box<F>>),
    Done(Option<F::Output>),
}

impl<F: Future> Running<F> {
    fn output(&mut self) -> Option<F::Output> {
        match self {
            Self::Still(_) => None,
            Self::Done(output) => output.take(),
        }
    }
}
