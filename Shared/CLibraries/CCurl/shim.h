// What Swift needs of libcurl (7.88 or later). Only the module HTTP imports this.
#pragma once

#include <curl/curl.h>
