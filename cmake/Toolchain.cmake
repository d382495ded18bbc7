# Compiler settings that hold for every target: language, warnings, sanitizers, output folder.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

# Paths below the checkout count relative to it, so a second clone finds what the first compiled.
find_program(CCACHE ccache)
if(CCACHE)
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

set(BANK_SANITIZE "" CACHE STRING "sanitizers to build with: empty, 'address,undefined' or 'thread'")
if(BANK_SANITIZE)
  add_compile_options(-fsanitize=${BANK_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BANK_SANITIZE})
endif()

option(BANK_FUZZ "build the libFuzzer program; needs clang (the preset `fuzz`)" OFF)
if(BANK_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "BANK_FUZZ needs clang: use the preset `fuzz`")
  endif()
  # Coverage for the fuzzer in every library; its main only in the program (tests/fuzz).
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

option(BANK_PLANTED_BUGS "carry the bugs of common/planted.h, chosen by BANK_PLANTED_BUG; for tests only" OFF)
if(BANK_PLANTED_BUGS)
  add_compile_definitions(BANK_PLANTED_BUGS)
endif()

# For our own targets only; third-party and generated code is included as SYSTEM.
set(BANK_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                  -Wimplicit-fallthrough -Werror)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  # The engine's C header (branch/replication/engine/core.h) has structures without names in a union.
  list(APPEND BANK_WARNINGS -Wno-nested-anon-types)
endif()
