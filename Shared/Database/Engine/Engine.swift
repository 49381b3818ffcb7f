/// A database engine behind `Database`: one line of writes that are committed in groups, and reads beside it.
protocol Engine: Sendable {
    /// Queues a closure for the next group. False when the engine has been closed; the job is then not finished.
    func enqueueWrite(_ job: any Job) -> Bool
    /// Queues a closure for a reader. False when the engine has been closed; the job is then not finished.
    func enqueueRead(_ job: any Job) -> Bool
    /// Copies the database, as it is now, into a new file.
    func backUp(to path: String) async throws
    /// Takes nothing more and begins to finish what was queued, without waiting for it.
    func beginClosing()
    /// Waits until everything is finished and closed.
    func waitUntilClosed() async
    /// The counters.
    var statistics: Database.Statistics { get }
}
