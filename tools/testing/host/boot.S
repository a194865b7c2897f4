/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Boot sector of the disk from which a test host in Bochs starts. It loads an uncompressed Linux
 * and enters it by PVH: a bzImage would decompress itself for longer than Linux takes to come up.
 *
 * The second disk has at HEADER_SECTOR, made by bochs_disk.py: the entry point, a list of what to
 * load from the first disk, and a start_info page, to which the memory map is added here.
 */

	.set	HEADER_SECTOR, 1	/* 8 sectors of list, 8 of start_info */
	.set	HEADER, 0x8000
	.set	ENTRY, HEADER
	.set	LIST, HEADER + 8	/* sector, count, address; a count of 0 ends it */
	.set	INFO, HEADER + 0x1000	/* struct hvm_start_info, module list, command line */
	.set	INFO_MAP_ENTRIES, INFO + 48
	.set	MAP, HEADER + 0x2000	/* struct hvm_memmap_table_entry: 24 bytes each */
	.set	ATA, 0x1f0
	.set	MASTER, 0xe0		/* and LBA */
	.set	SLAVE, 0xf0

	.code16
	.globl	_start
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7c00, %sp
	ljmp	$0, $1f
1:
	/* The BIOS' memory map, in the form that PVH has for it. */
	xorl	%ebx, %ebx
	movw	$MAP, %di
2:
	movl	$0xe820, %eax
	movl	$0x534d4150, %edx	/* "SMAP" */
	movl	$20, %ecx
	int	$0x15
	jc	3f
	movl	$0, 20(%di)
	addw	$24, %di
	incl	map_entries
	testl	%ebx, %ebx
	jnz	2b
3:
	cli
	inb	$0x92, %al		/* A20 */
	orb	$2, %al
	outb	%al, $0x92
	lgdtl	gdtr
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$0x10, $protected

	.code32
protected:
	movw	$0x18, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	cld

	movl	$HEADER_SECTOR, %esi
	movl	$16, %ebx
	movl	$HEADER, %edi
	call	load
	movb	$MASTER, drive
	movl	$LIST, %ebp
4:
	movl	(%ebp), %esi
	movl	4(%ebp), %ebx
	movl	8(%ebp), %edi
	testl	%ebx, %ebx
	jz	5f
	call	load
	addl	$12, %ebp
	jmp	4b
5:
	movl	map_entries, %eax
	movl	%eax, INFO_MAP_ENTRIES
	movl	$INFO, %ebx
	jmp	*ENTRY

/* load: %ebx sectors from %esi on to %edi, by PIO. */
load:
	movl	%ebx, %ecx		/* a command transfers at most 128 */
	cmpl	$128, %ecx
	jbe	6f
	movl	$128, %ecx
6:
	subl	%ecx, %ebx
	movw	$ATA + 2, %dx
	movb	%cl, %al
	outb	%al, %dx
	incl	%edx			/* LBA, from its low byte up */
	movl	%esi, %eax
	outb	%al, %dx
	incl	%edx
	shrl	$8, %eax
	outb	%al, %dx
	incl	%edx
	shrl	$8, %eax
	outb	%al, %dx
	incl	%edx
	shrl	$8, %eax
	orb	drive, %al
	outb	%al, %dx
	incl	%edx
	movb	$0x20, %al		/* READ SECTORS */
	outb	%al, %dx
	addl	%ecx, %esi
7:
	pushl	%ecx
	movw	$ATA + 7, %dx
8:
	inb	%dx, %al
	andb	$0x88, %al		/* neither busy, nor without data */
	cmpb	$0x08, %al
	jne	8b
	movw	$ATA, %dx
	movl	$256, %ecx
	rep insw
	popl	%ecx
	loop	7b
	testl	%ebx, %ebx
	jnz	load
	ret

	.balign	8
gdt:
	.quad	0, 0
	.quad	0x00cf9b000000ffff	/* 0x10: code */
	.quad	0x00cf93000000ffff	/* 0x18: data */
gdtr:
	.word	. - gdt - 1
	.long	gdt
map_entries:
	.long	0
drive:
	.byte	SLAVE

	.org	510
	.word	0xaa55
