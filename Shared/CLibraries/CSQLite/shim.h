// What Swift needs of SQLite (3.40 or later). Only the module Database imports this.
#pragma once

#include <sqlite3.h>
