/// The templates that the program has of its own: `Templates/Files`.
enum BuiltInTemplates {
    /// - Throws: `TemplateFaults`.
    static func files() throws(TemplateFaults) -> [TemplateFile] {
        do throws(TemplateFault) {
            return try all.map { name, bytes throws(TemplateFault) in
                try TemplateFile(name: name, path: "built in: \(name)", bytes: bytes)
            }
        } catch {
            throw TemplateFaults(faults: [error])
        }
    }

    private static let all: [(name: String, bytes: [UInt8])] = [
        ("confirmed.en.txt", PackageResources.confirmed_en_txt),
        ("confirmed.en.html", PackageResources.confirmed_en_html),
        ("rejected.en.txt", PackageResources.rejected_en_txt),
        ("rejected.en.html", PackageResources.rejected_en_html),
        ("cancelled.en.txt", PackageResources.cancelled_en_txt),
        ("cancelled.en.html", PackageResources.cancelled_en_html),
        ("refunded.en.txt", PackageResources.refunded_en_txt),
        ("refunded.en.html", PackageResources.refunded_en_html),
        ("dispatched.en.txt", PackageResources.dispatched_en_txt),
        ("dispatched.en.html", PackageResources.dispatched_en_html),
        ("partly-cancelled.en.txt", PackageResources.partly_cancelled_en_txt),
        ("partly-cancelled.en.html", PackageResources.partly_cancelled_en_html),
        ("partly-refunded.en.txt", PackageResources.partly_refunded_en_txt),
        ("partly-refunded.en.html", PackageResources.partly_refunded_en_html),
        ("reasons.en.txt", PackageResources.reasons_en_txt),
        ("confirmed.ko.txt", PackageResources.confirmed_ko_txt),
        ("confirmed.ko.html", PackageResources.confirmed_ko_html),
        ("rejected.ko.txt", PackageResources.rejected_ko_txt),
        ("rejected.ko.html", PackageResources.rejected_ko_html),
        ("cancelled.ko.txt", PackageResources.cancelled_ko_txt),
        ("cancelled.ko.html", PackageResources.cancelled_ko_html),
        ("refunded.ko.txt", PackageResources.refunded_ko_txt),
        ("refunded.ko.html", PackageResources.refunded_ko_html),
        ("dispatched.ko.txt", PackageResources.dispatched_ko_txt),
        ("dispatched.ko.html", PackageResources.dispatched_ko_html),
        ("partly-cancelled.ko.txt", PackageResources.partly_cancelled_ko_txt),
        ("partly-cancelled.ko.html", PackageResources.partly_cancelled_ko_html),
        ("partly-refunded.ko.txt", PackageResources.partly_refunded_ko_txt),
        ("partly-refunded.ko.html", PackageResources.partly_refunded_ko_html),
        ("reasons.ko.txt", PackageResources.reasons_ko_txt),
    ]
}
