/// The words of a text, as products are found by them: runs of letters and digits, in lower case.
///
/// `TEA-500` is `tea` and `500`, in a name as in a query.
enum SearchWords {
    static func of(_ text: String) -> Set<String> {
        var words: Set<String> = []
        var word = String.UnicodeScalarView()
        for scalar in text.lowercased().unicodeScalars {
            if isOfWord(scalar) {
                word.append(scalar)
            } else if !word.isEmpty {
                words.insert(String(word))
                word = String.UnicodeScalarView()
            }
        }
        if !word.isEmpty { words.insert(String(word)) }
        return words
    }

    /// Above every word that begins so, in the order of bytes.
    static func bound(of beginning: String) -> String { beginning + "\u{10FFFF}" }

    private static func isOfWord(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber, .nonspacingMark, .spacingMark, .enclosingMark:
            true
        default: false
        }
    }
}
