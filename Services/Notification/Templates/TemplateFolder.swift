import FoundationEssentials

/// A user's own templates, in a folder.
enum TemplateFolder {
    /// The longest template that is taken, in bytes.
    private static let most = 256 * 1024

    /// The templates in it, by name: its files that end in `.txt` and `.html`, those of editors and hidden ones aside.
    ///
    /// - Throws: `TemplateFaults`.
    static func files(in path: String) throws(TemplateFaults) -> [TemplateFile] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        } catch {
            throw TemplateFaults(faults: [TemplateFault(path: path, line: nil, what: "the folder cannot be read")])
        }
        var files: [TemplateFile] = []
        var faults: [TemplateFault] = []
        for name in names where !name.hasPrefix(".") && (name.hasSuffix(".txt") || name.hasSuffix(".html")) {
            let full = "\(path)/\(name)"
            do throws(TemplateFault) {
                guard let data = FileManager.default.contents(atPath: full) else {
                    throw TemplateFault(path: full, line: nil, what: "it cannot be read")
                }
                guard data.count <= most else {
                    throw TemplateFault(path: full, line: nil, what: "it has more than \(most / 1024) KiB")
                }
                files.append(try TemplateFile(name: name, path: full, bytes: Array(data)))
            } catch {
                faults.append(error)
            }
        }
        guard faults.isEmpty else { throw TemplateFaults(faults: faults) }
        return files
    }
}
