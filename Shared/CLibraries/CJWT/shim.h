// What Swift needs of libjwt (1.10). Only the module HTTP imports this.
#pragma once

#include <jwt.h>
