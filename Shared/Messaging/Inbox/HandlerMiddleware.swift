/// Something that is done around every attempt of every handler: measuring, logging, tracing.
///
/// The messaging decides what becomes of a delivery and no more; what is to be known of the handlers' work is a middleware's
/// business (`Subscriber.use`).
public protocol HandlerMiddleware: Sendable {
    /// Runs around one attempt.
    ///
    /// Calls `next` once and passes its error on: the error is what decides between a retry and a dead letter. An error of its
    /// own counts as the handler's. When `next` is not called, the handler is not, and the delivery counts as processed.
    ///
    /// - Parameters:
    ///   - delivery: the envelope and the attempt; its `commit` is the handler's.
    ///   - next: the next middleware, or the handler.
    func handle(_ delivery: Delivery, next: (Delivery) async throws -> Void) async throws
}
