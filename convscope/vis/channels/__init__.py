"""What the channels of a network do: values, examples, push of classes, removal, relatives and links."""
