public import Foundation

/// A folder of one test, removed with everything in it when the last reference goes.
public final class TemporaryFolder: Sendable {
    /// Where it is.
    public let url: URL

    /// Makes an empty folder under the system's folder for temporary files.
    public init(_ word: String = "warren") throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent(TestEnvironment.uniqueName(word))
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    /// A place in the folder; nothing is created.
    public func file(_ name: String) -> URL {
        url.appendingPathComponent(name)
    }
}
