import CCurl

/// An easy handle of libcurl: one transfer's options and results.
///
/// Used on the thread of its `CurlLoop` alone, and only until the transfer has ended.
@safe struct EasyHandle: Hashable {
    let pointer: UnsafeMutableRawPointer

    static func == (left: EasyHandle, right: EasyHandle) -> Bool { unsafe left.pointer == right.pointer }

    func hash(into hasher: inout Hasher) { hasher.combine(UInt(bitPattern: unsafe pointer)) }

    /// An option that libcurl did not take.
    struct OptionFailure: Error, CustomStringConvertible {
        let description: String
    }

    func set(_ option: CURLoption, _ value: Int) throws(OptionFailure) {
        try check(unsafe warren_curl_set_long(pointer, option, value), option)
    }

    func set(_ option: CURLoption, offset value: Int) throws(OptionFailure) {
        try check(unsafe warren_curl_set_offset(pointer, option, curl_off_t(value)), option)
    }

    func set(_ option: CURLoption, _ value: String) throws(OptionFailure) {
        try check(unsafe warren_curl_set_string(pointer, option, value), option)
    }

    func set(_ option: CURLoption, pointer value: UnsafeMutableRawPointer) throws(OptionFailure) {
        try check(unsafe warren_curl_set_pointer(pointer, option, value), option)
    }

    func set(_ option: CURLoption, list value: CurlList) throws(OptionFailure) {
        try check(unsafe warren_curl_set_list(pointer, option, value.pointer), option)
    }

    func set(_ option: CURLoption, sink: @escaping curl_write_callback) throws(OptionFailure) {
        try check(unsafe warren_curl_set_sink(pointer, option, sink), option)
    }

    func set(source: @escaping curl_read_callback) throws(OptionFailure) {
        try check(unsafe warren_curl_set_source(pointer, CURLOPT_READFUNCTION, source), CURLOPT_READFUNCTION)
    }

    func set(prerequest: @escaping curl_prereq_callback) throws(OptionFailure) {
        try check(unsafe warren_curl_set_prerequest(pointer, prerequest), CURLOPT_PREREQFUNCTION)
    }

    func get(_ info: CURLINFO) -> Int { unsafe warren_curl_get_long(pointer, info) }

    /// What every transfer has in common: bounds in time, no signals, no settings from the environment.
    func setCommon(timeout: Duration, connectTimeout: Duration) throws(OptionFailure) {
        try set(CURLOPT_NOSIGNAL, 1)
        // Taking a transfer away does not wait for the resolver.
        try set(CURLOPT_QUICK_EXIT, 1)
        try set(CURLOPT_PROXY, "")
        try set(CURLOPT_NETRC, 0)
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_TIMEOUT_MS, timeout.milliseconds)
        try set(CURLOPT_CONNECTTIMEOUT_MS, connectTimeout.milliseconds)
        // Servers commonly close idle connections after 30 s and more: one that old is rather not tried.
        try set(CURLOPT_MAXAGE_CONN, 25)
        try set(CURLOPT_SSL_VERIFYPEER, 1)
        try set(CURLOPT_SSL_VERIFYHOST, 2)
        try set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    }

    private func check(_ code: CURLcode, _ option: CURLoption) throws(OptionFailure) {
        guard code == CURLE_OK else {
            throw OptionFailure(
                description:
                    "libcurl refuses option \(option.rawValue): \(unsafe String(cString: curl_easy_strerror(code)))"
            )
        }
    }
}

/// A list of strings for libcurl, freed with its last reference.
@safe final class CurlList {
    private(set) var pointer: UnsafeMutablePointer<curl_slist>?

    deinit { unsafe curl_slist_free_all(pointer) }

    func append(_ text: String) {
        if let longer = unsafe curl_slist_append(pointer, text) { unsafe pointer = longer }
    }
}

extension Duration {
    /// Whole milliseconds, rounded up and at least one: zero means "for ever" to libcurl.
    var milliseconds: Int {
        let (seconds, attoseconds) = components
        let rest = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return max(1, Int(clamping: seconds.multipliedReportingOverflow(by: 1000).partialValue + rest))
    }
}
