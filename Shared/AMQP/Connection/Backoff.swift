/// The pauses between attempts to reconnect: capped exponential growth with full jitter.
///
/// A pause is drawn evenly from zero to a limit that doubles from the first bound with every failure until it is the last
/// bound. (Full jitter: Brooker, "Exponential Backoff And Jitter", 2015.)
struct Backoff {
    let bounds: ClosedRange<Duration>
    private(set) var failures = 0

    init(_ bounds: ClosedRange<Duration>) {
        self.bounds = bounds
    }

    /// The pause after one more failure.
    mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let limit = self.limit
        failures += 1
        return limit * Double.random(in: 0...1, using: &generator)
    }

    /// The longest that the next pause can be.
    var limit: Duration {
        var limit = bounds.lowerBound
        for _ in 0..<min(failures, 62) {
            limit = limit * 2
            if limit >= bounds.upperBound { break }
        }
        return min(limit, bounds.upperBound)
    }

    /// A connection held: the next failure is the first again.
    mutating func reset() {
        failures = 0
    }
}
