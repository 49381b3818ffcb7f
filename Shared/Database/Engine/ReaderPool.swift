/// The readers: a few connections, each on its own thread, that take reads from one queue.
final class ReaderPool: Sendable {
    private let queue = WorkQueue<any Job>()

    /// Queues a read; false when closed.
    func enqueue(_ job: any Job) -> Bool { queue.push(job) }

    /// Takes nothing more; every `run` returns when the queue is empty.
    func close() { queue.close() }

    /// Reads until closed.
    ///
    /// Called on a reader's thread, to which `connection` belongs.
    func run(on connection: any EngineConnection) {
        while let job = queue.take(upTo: 1)?.first {
            let transaction = Transaction(on: connection)
            do {
                try connection.beginRead(until: .now + job.deadline)
                try job.run(in: transaction)
                let actions = transaction.finish()
                try connection.commit()
                for action in actions { action() }
                job.finish(nil)
            } catch {
                _ = transaction.finish()
                connection.rollBack()
                job.finish(error)
            }
        }
    }
}
