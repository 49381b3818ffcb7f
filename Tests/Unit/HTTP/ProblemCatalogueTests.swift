import HTTP
import Testing

@Suite("The catalogue of problems")
struct ProblemCatalogueTests {
    private static func kind(_ slug: String, status: Int = 409) -> ProblemKind {
        ProblemKind(slug, status: status, title: "T", meaning: "M.", mend: "D.")
    }

    @Test("has each kind once, in order, and finds it by its slug")
    func order() throws {
        let catalogue = try ProblemCatalogue([Self.kind("b"), Self.kind("a"), Self.kind("b")])
        #expect(catalogue.kinds.map(\.slug) == ["a", "b"])
        #expect(catalogue["b"] == Self.kind("b"))
        #expect(catalogue["c"] == nil)
    }

    @Test("takes no two kinds with one slug: a fault has one status and one title")
    func conflict() {
        let conflict = #expect(throws: ProblemCatalogue.Conflict.self) {
            try ProblemCatalogue([Self.kind("a"), Self.kind("a", status: 422)])
        }
        #expect(conflict?.description.contains("a") == true)
    }
}
