// What Swift needs of libmicrohttpd (0.9.75 or later). Only the module HTTP imports this.
#pragma once

#include <microhttpd.h>
