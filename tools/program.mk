# SPDX-License-Identifier: GPL-2.0
#
# How the objects and the manual page of a program in tools/ are made, for its
# Makefile to include at its end.  From there come
#
#   O, name, objects	where all of it goes, the program, and what it is linked from
#   flags		of the compiler, beside CFLAGS

.PHONY: all install uninstall clean

# An object depends on the Makefile for its flags and VERSION.
$(O)/%.o: %.c Makefile | $(O)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(flags) -c -o $@ $<

$(O)/%.8: %.8.scd | $(O)
	scdoc < $< > $@.new
	mv $@.new $@

$(O):
	mkdir -p $@

clean:
	rm -f $(O)/$(name) $(O)/$(name).8 $(objects) $(objects:.o=.d)

.DELETE_ON_ERROR:

-include $(objects:.o=.d)
