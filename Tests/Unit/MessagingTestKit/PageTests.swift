import Foundation
import Testing

@Suite("The page about testing handlers")
struct PageTests {
    private static let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    @Test("quotes a test that is run, word for word, in less than ten lines")
    func quoted() throws {
        let source = try String(contentsOf: Self.here.appending(path: "TestServiceTests.swift"), encoding: .utf8)
        let page = Self.here.appending(path: "../../../Shared/ServiceKit/ServiceKit.docc/TestingHandlers.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        let quote = try #require(text.components(separatedBy: "```swift\n").dropFirst().first)
        let example = try #require(quote.components(separatedBy: "\n```").first).components(separatedBy: "\n")
        let indented = example.map { $0.isEmpty ? $0 : "    \($0)" }.joined(separator: "\n")
        #expect(source.contains(indented), "the tests should contain:\n\(indented)")
        // Between the braces of the test.
        #expect(example.count - 3 < 10)
    }
}
