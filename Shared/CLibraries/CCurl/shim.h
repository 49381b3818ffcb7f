// What Swift needs of libcurl (7.88 or later). Only the module HTTP imports this.
#pragma once

#include <curl/curl.h>

/// `curl_global_init` with everything; the macro `CURL_GLOBAL_ALL` is a cast that Swift does not import.
static inline CURLcode warren_curl_global_init(void) { return curl_global_init(CURL_GLOBAL_ALL); }

/// Sets an option whose value is a `long`. `curl_easy_setopt` is variadic, which Swift cannot call.
static inline CURLcode warren_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

/// Sets an option whose value is a `curl_off_t`.
static inline CURLcode warren_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

/// Sets an option whose value is a C string; libcurl copies it.
static inline CURLcode warren_curl_set_string(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

/// Sets an option whose value is a pointer that libcurl keeps as it is.
static inline CURLcode warren_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

/// Sets an option whose value is a list; it must live as long as the transfer.
static inline CURLcode warren_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(easy, option, value);
}

/// Sets `CURLOPT_WRITEFUNCTION` or `CURLOPT_HEADERFUNCTION`.
static inline CURLcode warren_curl_set_sink(CURL *easy, CURLoption option, curl_write_callback function) {
    return curl_easy_setopt(easy, option, function);
}

/// Sets `CURLOPT_READFUNCTION`.
static inline CURLcode warren_curl_set_source(CURL *easy, CURLoption option, curl_read_callback function) {
    return curl_easy_setopt(easy, option, function);
}

/// Sets `CURLOPT_PREREQFUNCTION`.
static inline CURLcode warren_curl_set_prerequest(CURL *easy, curl_prereq_callback function) {
    return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, function);
}

/// Reads an information whose value is a `long`; 0 when there is none. `curl_easy_getinfo` is variadic.
static inline long warren_curl_get_long(CURL *easy, CURLINFO info) {
    long value = 0;
    return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : 0;
}

/// Sets an option of a multi handle whose value is a `long`. `curl_multi_setopt` is variadic.
static inline CURLMcode warren_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

/// The next finished transfer of a multi handle and its result; NULL when there is none. Hides the union in `CURLMsg`.
static inline CURL *warren_curl_multi_next_done(CURLM *multi, CURLcode *result) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            *result = message->data.result;
            return message->easy_handle;
        }
    }
    return NULL;
}
