import Foundation
import Synchronization
import Telemetry

@testable import Database

/// A folder for one test, removed after it.
func withFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("database-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try await body(folder)
}

/// A fresh database with a table `notes(id INTEGER PRIMARY KEY, text TEXT UNIQUE)`, closed and removed after the test.
func withDatabase<Result>(_ body: (Database) async throws -> Result) async throws -> Result {
    try await withFolder { folder async throws in
        let database = try await Database.open("sqlite:\(folder)/test.db", migrations: [notes], logger: .silent)
        do {
            let result = try await body(database)
            await database.close()
            return result
        } catch {
            await database.close()
            throw error
        }
    }
}

let notes = MigrationSet(
    "notes",
    [MigrationSet.Migration("create notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT UNIQUE)")]
)

extension Database {
    /// What the notes say, in the order of their ids.
    func texts() async throws -> [String] {
        try await read { try $0.query("SELECT text FROM notes ORDER BY id").map { try $0["text"] } }
    }

    /// Adds a note.
    func add(_ text: String) async throws {
        try await write { _ = try $0.execute("INSERT INTO notes (text) VALUES ($1)", text) }
    }

    /// Makes the writer wait until `release` is called, so that what is written meanwhile is one group.
    func holdWriter() async -> Gate {
        let gate = Gate()
        await withCheckedContinuation { continuation in
            submit({ _ in
                continuation.resume()
                gate.waitOnThread()
            }) { _ in }
        }
        return gate
    }
}

/// Blocks a thread of the database (never one of Swift's) until opened, at most two minutes.
final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func waitOnThread() {
        _ = semaphore.wait(timeout: .now() + 120)
    }

    func open() {
        semaphore.signal()
    }
}

/// What happened, in order, noted from any thread.
final class Notebook: Sendable {
    private let lines = Mutex<[String]>([])

    func note(_ line: String) { lines.withLock { $0.append(line) } }

    var all: [String] { lines.withLock { $0 } }
}

/// The outcomes of several submitted writes, waited for together.
final class Outcomes: Sendable {
    private struct State {
        var missing: Int
        var results: [Int: Result<Int, any Error>] = [:]
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>

    init(_ count: Int) {
        state = Mutex(State(missing: count))
    }

    func take(_ number: Int, _ result: Result<Int, any Error>) {
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.results[number] = result
            state.missing -= 1
            guard state.missing == 0 else { return nil }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    /// All results, by the numbers they were taken under.
    func wait() async -> [Result<Int, any Error>] {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.missing > 0 { state.waiting = continuation }
                return state.missing == 0
            }
            if isDone { continuation.resume() }
        }
        return state.withLock { state in state.results.sorted { $0.key < $1.key }.map(\.value) }
    }
}

extension Result {
    /// The code of the database error that it is, if it is one.
    var code: DatabaseError.Code? {
        guard case .failure(let error) = self else { return nil }
        return (error as? DatabaseError)?.code
    }
}

/// The database error that `body` throws, or nil.
func databaseError(_ body: () async throws -> Void) async -> DatabaseError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? DatabaseError
    }
}

extension Gate {
    /// Waits until opened, on a thread that may block.
    func wait() async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                self.waitOnThread()
                continuation.resume()
            }
        }
    }
}

extension Row {
    /// The value of a column, with its type as an argument, which macros take more easily.
    func value<Value: DatabaseConvertible>(_ column: String, as type: Value.Type) throws -> Value {
        try self[column]
    }
}

/// Keeps the messages of a log.
final class RecordingSink: LogSink {
    private let lines = Mutex<[String]>([])
    private let arrival = NSCondition()

    var messages: [String] { lines.withLock { $0 } }

    func write(_ record: LogRecord) {
        arrival.withLock {
            lines.withLock { $0.append("\(record.message)") }
            arrival.broadcast()
        }
    }

    /// Blocks a thread of the database until a message has come; false when it does not in time.
    func wait(for message: String, upTo limit: Duration) -> Bool {
        let end = Date(timeIntervalSinceNow: limit / .seconds(1))
        return arrival.withLock {
            while !messages.contains(message) {
                guard arrival.wait(until: end) else { return false }
            }
            return true
        }
    }

    func clear() { lines.withLock { $0 = [] } }
}

/// Something that one task says and others see.
final class Flag: Sendable {
    private let state = Atomic(false)

    var isRaised: Bool { state.load(ordering: .acquiring) }

    func raise() { state.store(true, ordering: .releasing) }
}
