"""The first boot of the appliance: settings from the FAT partition in, a report out."""
