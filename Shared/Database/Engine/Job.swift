/// A closure on its way through a connection: run once at most, finished exactly once.
protocol Job: AnyObject, Sendable {
    /// How long a read may take; writes have none.
    var deadline: Duration { get }
    /// Which readers take it; nothing to writes.
    var readers: Database.Readers { get }
    /// Runs the closure and keeps its result.
    func run(in transaction: Transaction) throws
    /// Reports the kept result, or the error that took its place.
    func finish(_ error: (any Error)?)
}

extension Job {
    var readers: Database.Readers { .shared }
}

/// A job with the types of its caller.
///
/// Unchecked: `result` is touched by one thread only, that of the connection which runs and then finishes the job.
final class ClosureJob<Result: Sendable>: Job, @unchecked Sendable {
    let deadline: Duration
    let readers: Database.Readers
    private let body: @Sendable (Transaction) throws -> Result
    private let completion: @Sendable (Swift.Result<Result, any Error>) -> Void
    private var result: Result?

    init(
        deadline: Duration = .zero,
        readers: Database.Readers = .shared,
        body: @escaping @Sendable (Transaction) throws -> Result,
        completion: @escaping @Sendable (Swift.Result<Result, any Error>) -> Void
    ) {
        self.deadline = deadline
        self.readers = readers
        self.body = body
        self.completion = completion
    }

    func run(in transaction: Transaction) throws {
        result = try body(transaction)
    }

    func finish(_ error: (any Error)?) {
        if let error {
            completion(.failure(error))
        } else if let result {
            completion(.success(result))
        } else {
            completion(.failure(DatabaseError(code: .other, reason: "a closure was finished before it ran")))
        }
    }
}
