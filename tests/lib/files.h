/* Files that tests write. */
#pragma once

/* Replace or create the file with this text; it must work. */
void write_file(const char *path, const char *text);
