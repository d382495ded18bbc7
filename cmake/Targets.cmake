# bank_library(NAME [APART] SOURCES ... DEPS ...)  one target per folder; APART: never one file
# bank_program(NAME SOURCES ... DEPS ...)       an executable in bin/
# bank_test(NAME LABEL kind [READS_TREE] SOURCES ... DEPS ...)  a GoogleTest program; every test gets the label
#   of its kind. READS_TREE tells it where the checkout is, as BANK_SOURCE_DIR; such a test is compiled anew in every
#   clone, because the compiler cache sees another definition.

option(BANK_UNITY "compile the C++ files of a target as one: their headers are read once" OFF)

# CMake's own unity build writes absolute paths, which the compiler cache of another clone does not
# know. Files that are generated, or not C++, stay alone.
function(bank_unite target)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "^[^/].*\\.cc$")
  list(LENGTH sources count)
  if(NOT BANK_UNITY OR count LESS 2)
    return()
  endif()
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  list(TRANSFORM sources REPLACE "(.+)" "#include \"${folder}/\\1\"" OUTPUT_VARIABLE includes)
  list(JOIN includes "\n" text)
  file(CONFIGURE OUTPUT ${target}_unity.cc CONTENT "${text}\n" @ONLY)
  set_source_files_properties(${sources} PROPERTIES HEADER_FILE_ONLY ON)
  target_sources(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/${target}_unity.cc)
endfunction()

function(bank_configure target)
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:${BANK_WARNINGS}>
    $<$<COMPILE_LANGUAGE:C>:-Wall;-Wextra;-Wshadow;-Werror>)
endfunction()

function(bank_library name)
  cmake_parse_arguments(ARG "APART" "" "SOURCES;DEPS" ${ARGN})
  if(ARG_SOURCES)
    add_library(${name} STATIC ${ARG_SOURCES})
    target_link_libraries(${name} PUBLIC ${ARG_DEPS})
    bank_configure(${name})
    if(NOT ARG_APART)
      bank_unite(${name})
    endif()
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${ARG_DEPS})
    target_include_directories(${name} INTERFACE ${PROJECT_SOURCE_DIR})
  endif()
endfunction()

function(bank_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  bank_configure(${name})
  bank_unite(${name})
endfunction()

# Sanitized programs take several times longer; a test that hangs still ends.
if(BANK_SANITIZE)
  set(BANK_PATIENCE 4)
else()
  set(BANK_PATIENCE 1)
endif()
function(bank_timeout variable default)
  if(NOT ${variable})
    set(${variable} ${default})
  endif()
  math(EXPR ${variable} "${${variable}} * ${BANK_PATIENCE}")
  set(${variable} ${${variable}} PARENT_SCOPE)
endfunction()

# bank_builds(LABEL TARGET...): what the tests of this label need; the target tests_LABEL builds it.
function(bank_builds label)
  if(NOT TARGET tests_${label})
    add_custom_target(tests_${label})
  endif()
  add_dependencies(tests_${label} ${ARGN})
endfunction()

include(GoogleTest)
function(bank_test name)
  cmake_parse_arguments(ARG "READS_TREE" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  bank_timeout(ARG_TIMEOUT 120)
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  if(ARG_READS_TREE)
    target_compile_definitions(${name} PRIVATE BANK_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  endif()
  bank_configure(${name})
  bank_unite(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  bank_builds(${ARG_LABEL} ${name})
  gtest_discover_tests(${name} TEST_PREFIX ${ARG_LABEL}. DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()

# bank_script_test(NAME LABEL kind SCRIPT file.py) a Python test that runs the built programs (unittest)
function(bank_script_test name)
  cmake_parse_arguments(ARG "" "LABEL;SCRIPT;TIMEOUT" "" ${ARGN})
  bank_timeout(ARG_TIMEOUT 120)
  add_test(NAME ${ARG_LABEL}.${name} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SCRIPT} -v)
  set_tests_properties(${ARG_LABEL}.${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "BANK_BIN=${CMAKE_BINARY_DIR}/bin;BANK_PATIENCE=${BANK_PATIENCE};PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/support;PYTHONDONTWRITEBYTECODE=1")
endfunction()
